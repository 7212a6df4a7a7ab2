"""Looks at the frames of one film or stream and makes of them what is to be kept and told.

What the camera's functions tell of is told with the frame in which it happened; a plate once, when
its track has ended: its readings vote, and the frame of the best one is the evidence. Ids follow
from the film's id, so a film that is sent again after a crash tells nothing twice. Nothing here
touches the database: `Intake.settle_in` does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import cv2
from chassis.clock import Clock, system_clock
from chassis.identity import Caller
from chassis.transaction import Scope
from law.zone import in_almaty
from vision.arrays import Picture
from vision.detector import EMPTY_REQUEST, DetectionRequest, Detections
from vision.plates.grammar import understood
from vision.plates.reading import LEGIBLE
from vision.plates.tracks import PlateTrack, PlateTracker
from vision.zones.shapes import FrameSize

from inference_gateway.events import Told, plates_told
from inference_gateway.evidence import Vault
from inference_gateway.eyes import Eyes
from inference_gateway.films import Shot
from inference_gateway.functions.function import Fact
from inference_gateway.functions.model import DEFAULT, CameraFunctions
from inference_gateway.functions.telling import told_of
from inference_gateway.functions.watching import FRAMES_PER_SECOND, Watching
from inference_gateway.model import Camera, FrameResult, ReadPlate, Seen
from inference_gateway.usecases import Settling, read_plate
from inference_gateway.watchlists.search import FaceSearch, FacesSeen
from inference_gateway.wholly import wholly

JPEG_QUALITY = 95
Turn = Callable[[], AbstractAsyncContextManager[None]]
Configured = Callable[[], Awaitable[CameraFunctions]]


@dataclass(frozen=True)
class Subject:
    """What is screened: for which camera and whom, under which id."""

    screening_id: UUID
    camera: Camera
    caller: Caller
    scope: Scope
    # The content that the id stands for; the same for every track of it.
    content: bytes
    started_at: datetime
    now: Clock = system_clock

    def id_of(self, name: str) -> UUID:
        return uuid5(self.screening_id, name)

    def moment(self, seconds: float) -> datetime:
        """When that was; never ahead of now, whatever clocks do meanwhile."""
        return min(self.started_at + timedelta(seconds=seconds), self.now())


@dataclass(frozen=True)
class _Sighting:
    """The frame in which a track was read best."""

    seconds: float
    jpeg: bytes
    fingerprint: str


@dataclass(frozen=True)
class _Untold:
    """What is to be settled once its evidence is sealed; `jpeg` is empty where none is kept."""

    result: FrameResult
    jpeg: bytes = b""
    passage: bool = False
    facts: tuple[Fact, ...] = ()
    faces: FacesSeen | None = None
    # Sets the things of one run of the functions apart from those of the next.
    since: int = 0


@dataclass(frozen=True)
class _Shown:
    """The frame that was looked at last, for moments at which nothing has changed."""

    picture: Picture
    objects: tuple[Seen, ...]


@dataclass
class Screening:
    """One film or stream; its frames must come in the order of their time."""

    subject: Subject
    eyes: Eyes
    vault: Vault
    # How a place to look is got; by default one waits as long as it takes.
    turn: Turn | None = None
    # Asked before every frame; a new configuration begins anew with nothing seen.
    configured: Configured | None = None
    faces: FaceSearch | None = None
    frames_per_second: float = FRAMES_PER_SECOND
    _watching: Watching | None = None
    _since: int = 0
    _first: int | None = None
    _fingerprint: str = ""
    _shown: _Shown | None = None
    _tracks: PlateTracker = field(default_factory=PlateTracker)
    _best: dict[int, _Sighting] = field(default_factory=dict)
    _untold: list[_Untold] = field(default_factory=list)
    _ready: list[Settling] = field(default_factory=list)

    async def take(self, shot: Shot) -> list[Settling]:
        """What is in this frame, and after it what ended before it.

        Every settling must be settled, in this order. After Shed, ModelsAway or ListsAway the frame
        counts as never shown; after EvidenceAway the next call tells what this one could not.
        """
        watching = await self._watching_for(shot)
        wanted = watching.wanted(shot.seconds)
        sight, faces = Detections(), None
        if wanted.faces and self.faces:
            self.faces.require_ready()
        if wanted != EMPTY_REQUEST:
            async with self.turn() if self.turn else self.eyes.turn(patient=True):
                sight, fingerprint = await self.eyes.detect(shot.picture, wanted)
                if wanted.faces and self.faces:
                    faces = await self._searched(self.faces, shot, fingerprint)
            self._fingerprint = fingerprint
        await self._seen(shot, watching, wanted, sight, faces)
        return await self._sealed()

    async def stand(self, seconds: float) -> list[Settling]:
        """A moment at which the picture was as when it was last looked at; time goes on."""
        if self._watching is not None and self._shown is not None:
            local = in_almaty(self.subject.moment(seconds))
            facts = await asyncio.to_thread(self._watching.stand, seconds=seconds, local=local)
            if facts:
                name = f"stand:{round(seconds * 1000)}"
                jpeg = await self._evidence(facts, self._shown.picture)
                result = self._result(name, seconds, self._shown.objects)
                self._untold.append(_Untold(result, jpeg, facts=facts, since=self._since))
        self._untold += [self._passage(track) for track in self._tracks.stand(at=seconds)]
        return await self._sealed()

    @property
    def untold(self) -> int:
        """How much waits for its evidence to be sealed."""
        return len(self._untold)

    async def tell(self) -> list[Settling]:
        """What could not be told before. Raises EvidenceAway."""
        return await self._sealed()

    async def finish(self) -> list[Settling]:
        """The tracks that were still open."""
        self._untold += [self._passage(track) for track in self._tracks.finish()]
        return await self._sealed()

    async def _watching_for(self, shot: Shot) -> Watching:
        functions = await self.configured() if self.configured else DEFAULT
        frame = FrameSize(shot.picture.shape[1], shot.picture.shape[0])
        known = self._watching
        if known is not None and known.functions is functions and known.frame == frame:
            return known
        begun = Watching(functions, frame, frames_per_second=self.frames_per_second)
        self._watching, self._since, self._shown = begun, shot.number, None
        self._first = shot.number if self._first is None else self._first
        return begun

    async def _searched(self, faces: FaceSearch, shot: Shot, fingerprint: str) -> FacesSeen:
        return await faces.look(
            shot.picture,
            self.subject.camera,
            self.subject.moment(shot.seconds),
            content=lambda: _jpeg(shot.picture),
            fingerprint=fingerprint,
        )

    @wholly
    async def _seen(
        self,
        shot: Shot,
        watching: Watching,
        wanted: DetectionRequest,
        sight: Detections,
        faces: FacesSeen | None,
    ) -> None:
        local = in_almaty(self.subject.moment(shot.seconds))
        seen = await asyncio.to_thread(
            watching.add, shot.picture, sight, wanted, seconds=shot.seconds, local=local
        )
        ended = self._tracks.add(sight.plates, at=shot.seconds) if wanted.plates else []
        await self._remember(shot, sight)
        objects = tuple(Seen(one.label, one.score, one.box, track) for one, track in seen.objects)
        result = replace(
            self._result(f"frame:{shot.number}", shot.seconds, objects),
            plates=self._plates(sight),
        )
        jpeg = await self._evidence(seen.facts, shot.picture)
        self._untold.append(_Untold(result, jpeg, facts=seen.facts, faces=faces, since=self._since))
        self._untold += [self._passage(track) for track in ended]
        self._shown = _Shown(shot.picture, objects) if watching.functions.over_time else None

    def _plates(self, sight: Detections) -> tuple[ReadPlate, ...]:
        numbers = {id(track.last): track.number for track in self._tracks.open}
        return tuple(
            replace(read_plate(plate), track=numbers.get(id(plate), 0)) for plate in sight.plates
        )

    def _result(self, name: str, seconds: float, objects: tuple[Seen, ...] = ()) -> FrameResult:
        return FrameResult(
            self.subject.id_of(name),
            self.subject.moment(seconds),
            objects=objects,
            models_fingerprint=self._fingerprint,
        )

    async def _evidence(self, facts: tuple[Fact, ...], picture: Picture) -> bytes:
        if not any(fact.with_evidence for fact in facts):
            return b""
        return await asyncio.to_thread(_jpeg, picture)

    async def _remember(self, shot: Shot, sight: Detections) -> None:
        best = [track for track in self._tracks.open if any(track.best is p for p in sight.plates)]
        if not best:
            return
        jpeg = await asyncio.to_thread(_jpeg, shot.picture)
        for track in best:
            self._best[track.number] = _Sighting(shot.seconds, jpeg, self._fingerprint)

    def _passage(self, track: PlateTrack) -> _Untold:
        # A frame that failed halfway leaves a track without a picture: it is told without one.
        sighting = self._best.pop(track.number, None) or _Sighting(
            track.last_seen, b"", self._fingerprint
        )
        name = f"track:{track.number}" if not self._first else f"track:{self._first}:{track.number}"
        result = FrameResult(
            self.subject.id_of(name),
            self.subject.moment(sighting.seconds),
            (plate_of(track),),
            models_fingerprint=sighting.fingerprint,
        )
        return _Untold(result, sighting.jpeg, passage=True)

    async def _sealed(self) -> list[Settling]:
        """What is untold leaves its list only once it is sealed, so nothing of it is lost."""
        while self._untold:
            self._ready.append(await self._settling(self._untold[0]))
            self._untold.pop(0)
        ready, self._ready = self._ready, []
        return ready

    async def _settling(self, untold: _Untold) -> Settling:
        subject, result, kept = self.subject, untold.result, None
        if untold.jpeg:
            kept = await self.vault.seal(untold.jpeg, "image/jpeg")
            result = replace(result, evidence_sha256=kept.sha256, shown_sha256=kept.shown_sha256)
        faces = await untold.faces.sealed() if untold.faces else None
        return Settling(
            subject.camera,
            subject.caller,
            subject.scope,
            subject.content,
            result,
            self._told(untold, result),
            kept,
            faces=faces,
            is_scene=True,
        )

    def _told(self, untold: _Untold, result: FrameResult) -> tuple[Told, ...]:
        if untold.passage:
            return plates_told(result, self.subject.camera)
        names = self.subject.id_of(f"since:{untold.since}")
        return tuple(
            told_of(fact, names, self.subject.camera, result, self.subject.moment)
            for fact in untold.facts
        )


def plate_of(track: PlateTrack) -> ReadPlate:
    """What the track's readings agree on, where its best frame saw it."""
    best, vote = replace(read_plate(track.best), track=track.number), track.vote
    if vote.text == best.text:
        return best
    reading = understood(vote.text)
    legible = vote.weakest >= LEGIBLE and not reading.ambiguous
    return ReadPlate(
        vote.text,
        vote.weakest,
        vote.confidences,
        best.box,
        reading.country,
        reading.plate_type,
        legible,
        track.number,
    )


def _jpeg(picture: Picture) -> bytes:
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(encoded)
