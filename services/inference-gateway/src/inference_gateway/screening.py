"""Looks at the frames of one film or stream and tells a plate once, when its track has ended.

The readings of a track vote; the frame of its best reading becomes the evidence. Ids of tracks
follow from the film's id, so a film that is sent again after a crash tells nothing twice.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import cv2
from chassis import telemetry
from chassis.db import Scope
from chassis.identity import Caller

from inference_gateway.evidence import Vault
from inference_gateway.eyes import Eyes
from inference_gateway.films import Shot
from inference_gateway.model import Camera, FrameResult, ReadPlate
from inference_gateway.seeing.grammar import understood
from inference_gateway.seeing.looking import Sight
from inference_gateway.seeing.pictures import Picture
from inference_gateway.seeing.plates import LEGIBLE
from inference_gateway.seeing.tracks import PlateTracks, Track
from inference_gateway.usecases import (
    Intake,
    Settling,
    objects_of,
    plates_of,
    read_plate,
)

JPEG_QUALITY = 95


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


@dataclass(frozen=True)
class _Sighting:
    """The frame in which a track was read best."""

    seconds: float
    jpeg: bytes
    fingerprint: str


@dataclass
class Screening:
    subject: Subject
    intake: Intake
    eyes: Eyes
    vault: Vault
    _tracks: PlateTracks = field(default_factory=PlateTracks)
    _best: dict[int, _Sighting] = field(default_factory=dict)
    _untold: list[Track] = field(default_factory=list)

    async def look(self, shot: Shot) -> list[FrameResult]:
        """What is in this frame, and after it the tracks that ended before it."""
        async with self.eyes.turn(patient=True):
            sight, fingerprint = await self.eyes.look(shot.picture)
        self._untold += self._tracks.add(sight.plates, at=shot.seconds)
        await self._remember(shot, sight, fingerprint)
        seen = FrameResult(
            self.subject.id_of("frame", shot.number),
            self._moment(shot.seconds),
            plates_of(sight),
            objects_of(sight),
            models_fingerprint=fingerprint,
        )
        return [seen, *await self._tell_all()]

    async def finish(self) -> list[FrameResult]:
        """The tracks that were still open."""
        self._untold += self._tracks.finish()
        return await self._tell_all()

    async def _remember(self, shot: Shot, sight: Sight, fingerprint: str) -> None:
        best = [track for track in self._tracks.open if any(track.best is p for p in sight.plates)]
        if not best:
            return
        jpeg = await asyncio.to_thread(_jpeg, shot.picture)
        for track in best:
            self._best[track.number] = _Sighting(shot.seconds, jpeg, fingerprint)

    async def _tell_all(self) -> list[FrameResult]:
        """A track leaves the list once it is told, so one that was interrupted is told again."""
        results = []
        while self._untold:
            track = self._untold[0]
            results.append(await self._tell(track))
            self._untold.pop(0)
            del self._best[track.number]
        return results

    async def _tell(self, track: Track) -> FrameResult:
        sighting, subject = self._best[track.number], self.subject
        result = FrameResult(
            subject.id_of("track", track.number),
            self._moment(sighting.seconds),
            (plate_of(track),),
            models_fingerprint=sighting.fingerprint,
        )
        # A story of its own: a stream runs for days, and its plates have nothing to do with each
        # other.
        with telemetry.span(
            "plate passed",
            parent=telemetry.context_from(""),
            links=telemetry.link_to(telemetry.traceparent()),
        ):
            telemetry.annotate(camera=str(subject.camera.camera_id), frame=str(result.frame_id))
            kept = await self.vault.seal(sighting.jpeg, "image/jpeg")
            settling = Settling(
                subject.camera, subject.caller, subject.scope, subject.content, result, kept
            )
            return await self.intake.settle(settling)

    def _moment(self, seconds: float) -> datetime:
        return self.subject.started_at + timedelta(seconds=seconds)


def plate_of(track: Track) -> ReadPlate:
    """What the track's readings agree on, where its best frame saw it."""
    best, vote = read_plate(track.best), track.vote
    if vote.text == best.text:
        return best
    reading = understood(vote.text)
    legible = vote.weakest >= LEGIBLE and not reading.ambiguous
    return ReadPlate(
        vote.text, vote.weakest, vote.confidences, best.box, reading.country,
        reading.plate_type, legible,
    )  # fmt: skip


def _jpeg(picture: Picture) -> bytes:
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(encoded)
