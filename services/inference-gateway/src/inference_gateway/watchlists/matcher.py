"""Searches the watch-lists for the faces in a picture; `search.py` defines the interface."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from chassis.clock import Clock, new_id
from chassis.db import Database
from chassis.transaction import SYSTEM
from vision.arrays import Picture
from vision.faces.detector import FaceDetector, forget
from vision.faces.recognition import (
    MATCH_THRESHOLD,
    SAME_PERSON,
    Face,
    Usable,
)

from inference_gateway.cameras.model import Camera
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.frames.model import FaceVerdict, SeenFace
from inference_gateway.triton import ModelsAway
from inference_gateway.watchlists import storage
from inference_gateway.watchlists.candidates import Found, MatchedFaces
from inference_gateway.watchlists.gallery import Near
from inference_gateway.watchlists.gallery_sync import GallerySync
from inference_gateway.watchlists.model import Candidate, closeness


class FaceMatcher:
    """Detects the faces in a picture and compares them with the watch-list entries of the camera's
    region. Implements the protocol `FaceSearch`."""

    def __init__(
        self,
        db: Database,
        lists: GallerySync,
        detector: FaceDetector,
        evidence_store: EvidenceStore,
        clock: Clock,
    ) -> None:
        self._db = db
        self._lists = lists
        self._detector = detector
        self._evidence = evidence_store
        self._clock = clock

    def require_ready(self) -> None:
        self._lists.require_read()

    async def search(
        self,
        picture: Picture,
        camera: Camera,
        captured_at: datetime,
        *,
        content: Callable[[], bytes],
        fingerprint: str,
    ) -> MatchedFaces:
        if not self._lists.is_searching(camera.region):
            return MatchedFaces(self._clock, self._evidence)
        async with models_away_by_name():
            faces = await self._detector.detect(picture)
            near = await self._near(picture, faces, camera.region)
        seen = tuple(
            SeenFace(face.box, verdict(entries)) for face, entries in zip(faces, near, strict=True)
        )
        sighting = _Sighting(camera, captured_at, fingerprint)
        found = await self._found(sighting, seen, nearest(near))
        is_new = any(not each.is_known for each in found)
        frame = await asyncio.to_thread(content) if is_new else b""
        told = tuple(each.found for each in found)
        return MatchedFaces(self._clock, self._evidence, seen, told, frame)

    async def _near(
        self, picture: Picture, faces: list[Face], region: str
    ) -> list[list[Near] | None]:
        """For each face the entries near it, nearest first; None if it is unfit for search."""
        near: list[list[Near] | None] = [None] * len(faces)
        places = [n for n, face in enumerate(faces) if face.for_search is Usable.YES]
        templates = await self._detector.templates(picture, [faces[n] for n in places])
        try:
            found = await self._lists.search(region, templates, within=SAME_PERSON)
        finally:
            forget(templates)
        for place, entries in zip(places, found, strict=True):
            near[place] = entries
        return near

    async def _found(
        self, sighting: "_Sighting", seen: tuple[SeenFace, ...], near: dict[int, "_Nearest"]
    ) -> list["_Found"]:
        """The candidates near enough to match; each is known if the camera saw the person just
        before.
        """
        if not near:
            return []
        found = []
        async with self._db.begin(SYSTEM) as tx:
            for number, entry_id in (await storage.entry_ids(tx, near)).items():
                camera, at = sighting.camera, sighting.captured_at
                known = await storage.seen_just_now(tx, entry_id, camera.camera_id, at)
                one = Candidate(
                    known or new_id(),
                    entry_id,
                    camera.camera_id,
                    camera.region,
                    at,
                    closeness(near[number].distance),
                    seen[near[number].face].box,
                    "",
                    sighting.fingerprint,
                )
                found.append(_Found(Found(near[number].face, one), known is not None))
        return found


@dataclass(frozen=True)
class _Sighting:
    camera: Camera
    captured_at: datetime
    fingerprint: str


@dataclass(frozen=True)
class _Found:
    found: Found
    is_known: bool


@dataclass(frozen=True)
class _Nearest:
    """The face in a frame that is nearest to an entry."""

    distance: float
    face: int


def verdict(entries: list[Near] | None) -> FaceVerdict:
    """Return NO_MATCH if the face was compared and no entry is near it, else UNKNOWN.

    `entries` are the entries at a distance of at most SAME_PERSON from the face, or None if the
    face was not good enough to be compared. The verdict CANDIDATE is set later, when the face
    becomes a candidate.
    """
    if entries is None or entries:
        return FaceVerdict.UNKNOWN
    return FaceVerdict.NO_MATCH


def nearest(near: list[list[Near] | None]) -> dict[int, _Nearest]:
    """Return, for each entry number, the nearest face and its distance. Entries to which no face is
    nearer than MATCH_THRESHOLD are left out.

    `near` has an item for each face: the entries at a distance of at most SAME_PERSON, or None if
    the face was not compared.
    """
    best: dict[int, _Nearest] = {}
    for face, entries in enumerate(near):
        for entry in entries or ():
            known = best.get(entry.number)
            if entry.distance < MATCH_THRESHOLD and (
                known is None or entry.distance < known.distance
            ):
                best[entry.number] = _Nearest(entry.distance, face)
    return best


@asynccontextmanager
async def models_away_by_name() -> AsyncIterator[None]:
    """Context manager that turns an exception group of ModelsAway, raised in its block, into a
    single ModelsAway. Inferences that run concurrently raise such groups."""
    try:
        yield
    except* ModelsAway as group:
        away = group
    else:
        return
    raise ModelsAway from away
