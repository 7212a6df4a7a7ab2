"""Looks at the frames of one film or stream and makes of them what is to be kept and told.

A plate is told once, when its track has ended: its readings vote, and the frame of the best one
is the evidence. Ids follow from the film's id, so a film that is sent again after a crash tells
nothing twice. Nothing here touches the database: `Intake.settle_in` does.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import cv2
from chassis.db import Scope
from chassis.identity import Caller

from inference_gateway.events import plates_told
from inference_gateway.evidence import Vault
from inference_gateway.eyes import Eyes
from inference_gateway.films import Shot
from inference_gateway.model import Camera, FrameResult, ReadPlate
from inference_gateway.seeing.grammar import understood
from inference_gateway.seeing.looking import Sight
from inference_gateway.seeing.pictures import Picture
from inference_gateway.seeing.plates import LEGIBLE
from inference_gateway.seeing.tracks import PlateTracks, Track
from inference_gateway.usecases import Settling, objects_of, plates_of, read_plate

JPEG_QUALITY = 95
Turn = Callable[[], AbstractAsyncContextManager[None]]


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

    def id_of(self, kind: str, number: int) -> UUID:
        return uuid5(self.screening_id, f"{kind}:{number}")

    def moment(self, seconds: float) -> datetime:
        return self.started_at + timedelta(seconds=seconds)


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


@dataclass
class Screening:
    """One film or stream; its frames must come in the order of their time."""

    subject: Subject
    eyes: Eyes
    vault: Vault
    # How a place to look is got; by default one waits as long as it takes.
    turn: Turn | None = None
    _tracks: PlateTracks = field(default_factory=PlateTracks)
    _best: dict[int, _Sighting] = field(default_factory=dict)
    _untold: list[_Untold] = field(default_factory=list)
    _ready: list[Settling] = field(default_factory=list)

    async def take(self, shot: Shot) -> list[Settling]:
        """What is in this frame, and after it what ended before it.

        Every settling must be settled, in this order. After Shed or ModelsAway the frame counts as
        never shown; after EvidenceAway the next call tells what this one could not.
        """
        async with self.turn() if self.turn else self.eyes.turn(patient=True):
            sight, fingerprint = await self.eyes.look(shot.picture)
        ended = self._tracks.add(sight.plates, at=shot.seconds)
        await self._remember(shot, sight, fingerprint)
        seen = FrameResult(
            self.subject.id_of("frame", shot.number),
            self.subject.moment(shot.seconds),
            plates_of(sight),
            objects_of(sight),
            models_fingerprint=fingerprint,
        )
        self._untold += [_Untold(seen), *(self._passage(track) for track in ended)]
        return await self._sealed()

    async def stand(self, seconds: float) -> list[Settling]:
        """A moment at which the picture was as when it was last looked at: what ended before it."""
        self._untold += [self._passage(track) for track in self._tracks.stand(at=seconds)]
        return await self._sealed()

    async def finish(self) -> list[Settling]:
        """The tracks that were still open."""
        self._untold += [self._passage(track) for track in self._tracks.finish()]
        return await self._sealed()

    async def _remember(self, shot: Shot, sight: Sight, fingerprint: str) -> None:
        best = [track for track in self._tracks.open if any(track.best is p for p in sight.plates)]
        if not best:
            return
        jpeg = await asyncio.to_thread(_jpeg, shot.picture)
        for track in best:
            self._best[track.number] = _Sighting(shot.seconds, jpeg, fingerprint)

    def _passage(self, track: Track) -> _Untold:
        sighting = self._best.pop(track.number)
        result = FrameResult(
            self.subject.id_of("track", track.number),
            self.subject.moment(sighting.seconds),
            (plate_of(track),),
            models_fingerprint=sighting.fingerprint,
        )
        return _Untold(result, sighting.jpeg)

    async def _sealed(self) -> list[Settling]:
        """What is untold leaves its list only once it is sealed, so nothing of it is lost."""
        while self._untold:
            self._ready.append(await self._settling(self._untold[0]))
            self._untold.pop(0)
        ready, self._ready = self._ready, []
        return ready

    async def _settling(self, untold: _Untold) -> Settling:
        subject, result = self.subject, untold.result
        about = Settling(
            subject.camera, subject.caller, subject.scope, subject.content, result, is_scene=True
        )
        if not untold.jpeg:
            return about
        kept = await self.vault.seal(untold.jpeg, "image/jpeg")
        result = replace(result, evidence_sha256=kept.sha256)
        return replace(about, result=result, kept=kept, facts=plates_told(result, subject.camera))


def plate_of(track: Track) -> ReadPlate:
    """What the track's readings agree on, where its best frame saw it."""
    best, vote = replace(read_plate(track.best), track=track.number), track.vote
    if vote.text == best.text:
        return best
    reading = understood(vote.text)
    legible = vote.weakest >= LEGIBLE and not reading.ambiguous
    return ReadPlate(
        vote.text, vote.weakest, vote.confidences, best.box, reading.country,
        reading.plate_type, legible, track.number,
    )  # fmt: skip


def _jpeg(picture: Picture) -> bytes:
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(encoded)
