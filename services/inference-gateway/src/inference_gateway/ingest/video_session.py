"""Processes one video or stream: its frames pass through the models and the camera's rules.

An event that the rules detect is reported with the frame in which it happened. A plate is tracked
from frame to frame and reported once, when the track ends. The reported text is a vote over the
track's readings; the evidence is the best frame. Ids are derived from the video's id, so a video
sent again after a crash repeats no event. Nothing here accesses the database; `usecases.persist_in`
stores the results.
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

from inference_gateway.camera_rules.engine import FRAMES_PER_SECOND, CameraRuleEngine
from inference_gateway.camera_rules.events import outbound_event
from inference_gateway.camera_rules.function import Fact
from inference_gateway.camera_rules.model import DEFAULT, CameraFunctions
from inference_gateway.cameras.model import Camera
from inference_gateway.completion import run_to_completion
from inference_gateway.frames.events import OutboundEvent, plate_events
from inference_gateway.frames.model import FrameResult, ReadPlate, SeenObject, read_plate
from inference_gateway.ingest.usecases import PendingResult, SessionParts
from inference_gateway.ingest.video import SampledFrame
from inference_gateway.watchlists.search import FaceFindings, FaceSearch

JPEG_QUALITY = 95
Slot = Callable[[], AbstractAsyncContextManager[None]]
Configured = Callable[[], Awaitable[CameraFunctions]]


@dataclass(frozen=True)
class Subject:
    """What a video session processes and for whom. `scope` is the caller's access to the database.
    The video starts at `started_at`. `content` identifies the video: another session with the same
    `session_id` must have the same `content`."""

    session_id: UUID
    camera: Camera
    caller: Caller
    scope: Scope
    # The content that the id stands for; the same for every track of it.
    content: bytes
    started_at: datetime
    now: Clock = system_clock

    def id_of(self, name: str) -> UUID:
        return uuid5(self.session_id, name)

    def moment(self, seconds: float) -> datetime:
        """Return the time that is `seconds` after the start of the video, but never later than
        now."""
        return min(self.started_at + timedelta(seconds=seconds), self.now())


@dataclass(frozen=True)
class _Sighting:
    """The frame with the best reading of a track."""

    seconds: float
    jpeg: bytes
    fingerprint: str


@dataclass(frozen=True)
class _Unsealed:
    """A result whose evidence is not encrypted and stored yet; `jpeg` is empty without evidence."""

    result: FrameResult
    jpeg: bytes = b""
    passage: bool = False
    facts: tuple[Fact, ...] = ()
    faces: FaceFindings | None = None
    # Sets the things of one run of the functions apart from those of the next.
    since: int = 0


@dataclass(frozen=True)
class _Shown:
    """The last frame that went through the models, for times at which the picture is unchanged."""

    picture: Picture
    objects: tuple[SeenObject, ...]


@dataclass
class VideoSession:
    """The processing of one video or stream. `take` must be called with frames in order of time.
    `slot` returns a context manager that holds an inference slot (the right to use the models). The
    default one waits for a slot without a limit. `configured` returns the camera's functions and is
    called before each frame."""

    subject: Subject
    parts: SessionParts
    # How an inference slot is got; by default one waits as long as it takes.
    slot: Slot | None = None
    # Asked before every frame; a new configuration begins anew with nothing seen.
    configured: Configured | None = None
    frames_per_second: float = FRAMES_PER_SECOND
    _engine: CameraRuleEngine | None = None
    _since: int = 0
    _first: int | None = None
    _fingerprint: str = ""
    _shown: _Shown | None = None
    _tracks: PlateTracker = field(default_factory=PlateTracker)
    _best: dict[int, _Sighting] = field(default_factory=dict)
    _unsealed: list[_Unsealed] = field(default_factory=list)
    _ready: list[PendingResult] = field(default_factory=list)

    async def take(self, shot: SampledFrame) -> list[PendingResult]:
        """Process a frame. Return the frame's result, then the results of plate tracks that have
        ended.

        The caller must store all results, in this order. If Shed, ModelsAway or ListsAway is
        raised, the frame was not processed. If EvidenceAway is raised, the frame was processed, and
        the next call also returns these results.
        """
        engine = await self._engine_for(shot)
        request = engine.request(shot.seconds)
        detections, faces = Detections(), None
        if request.faces and self.parts.faces:
            self.parts.faces.require_ready()
        if request != EMPTY_REQUEST:
            async with self.slot() if self.slot else self.parts.pool.slot(patient=True):
                detections, fingerprint = await self.parts.pool.detect(shot.picture, request)
                if request.faces and self.parts.faces:
                    faces = await self._searched(self.parts.faces, shot, fingerprint)
            self._fingerprint = fingerprint
        await self._add(shot, engine, request, detections, faces)
        return await self._sealed()

    async def tick(self, seconds: float) -> list[PendingResult]:
        """Run the camera's rules again for a later time, at which the picture is still that of the
        last `take`. `seconds` counts from the start of the video. Return the new results, also
        those of plate tracks that have ended. Raises EvidenceAway if evidence cannot be stored."""
        if self._engine is not None and self._shown is not None:
            local = in_almaty(self.subject.moment(seconds))
            facts = await asyncio.to_thread(self._engine.tick, seconds=seconds, local=local)
            if facts:
                name = f"stand:{round(seconds * 1000)}"
                jpeg = await self._evidence(facts, self._shown.picture)
                result = self._result(name, seconds, self._shown.objects)
                self._unsealed.append(_Unsealed(result, jpeg, facts=facts, since=self._since))
        self._unsealed += [self._passage(track) for track in self._tracks.tick(at=seconds)]
        return await self._sealed()

    @property
    def unsealed(self) -> int:
        """The number of results whose evidence is not stored yet."""
        return len(self._unsealed)

    async def flush(self) -> list[PendingResult]:
        """Store the evidence that earlier calls could not store, and return the results that waited
        for it. Raises EvidenceAway if it still cannot be stored."""
        return await self._sealed()

    async def finish(self) -> list[PendingResult]:
        """End all open plate tracks at the end of the video, and return the results. Raises
        EvidenceAway if evidence cannot be stored."""
        self._unsealed += [self._passage(track) for track in self._tracks.finish()]
        return await self._sealed()

    async def _engine_for(self, shot: SampledFrame) -> CameraRuleEngine:
        functions = await self.configured() if self.configured else DEFAULT
        frame = FrameSize(shot.picture.shape[1], shot.picture.shape[0])
        known = self._engine
        if known is not None and known.functions is functions and known.frame == frame:
            return known
        begun = CameraRuleEngine(functions, frame, frames_per_second=self.frames_per_second)
        self._engine, self._since, self._shown = begun, shot.number, None
        self._first = shot.number if self._first is None else self._first
        return begun

    async def _searched(
        self, faces: FaceSearch, shot: SampledFrame, fingerprint: str
    ) -> FaceFindings:
        return await faces.search(
            shot.picture,
            self.subject.camera,
            self.subject.moment(shot.seconds),
            content=lambda: _jpeg(shot.picture),
            fingerprint=fingerprint,
        )

    @run_to_completion
    async def _add(
        self,
        shot: SampledFrame,
        engine: CameraRuleEngine,
        request: DetectionRequest,
        detections: Detections,
        faces: FaceFindings | None,
    ) -> None:
        local = in_almaty(self.subject.moment(shot.seconds))
        seen = await asyncio.to_thread(
            engine.add, shot.picture, detections, request, seconds=shot.seconds, local=local
        )
        ended = self._tracks.add(detections.plates, at=shot.seconds) if request.plates else []
        await self._remember(shot, detections)
        objects = tuple(
            SeenObject(one.label, one.score, one.box, track) for one, track in seen.objects
        )
        result = replace(
            self._result(f"frame:{shot.number}", shot.seconds, objects),
            plates=self._plates(detections),
        )
        jpeg = await self._evidence(seen.facts, shot.picture)
        self._unsealed.append(
            _Unsealed(result, jpeg, facts=seen.facts, faces=faces, since=self._since)
        )
        self._unsealed += [self._passage(track) for track in ended]
        self._shown = _Shown(shot.picture, objects) if engine.functions.over_time else None

    def _plates(self, detections: Detections) -> tuple[ReadPlate, ...]:
        numbers = {id(track.last): track.number for track in self._tracks.open}
        return tuple(
            replace(read_plate(plate), track=numbers.get(id(plate), 0))
            for plate in detections.plates
        )

    def _result(
        self, name: str, seconds: float, objects: tuple[SeenObject, ...] = ()
    ) -> FrameResult:
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

    async def _remember(self, shot: SampledFrame, detections: Detections) -> None:
        best = [
            track for track in self._tracks.open if any(track.best is p for p in detections.plates)
        ]
        if not best:
            return
        jpeg = await asyncio.to_thread(_jpeg, shot.picture)
        for track in best:
            self._best[track.number] = _Sighting(shot.seconds, jpeg, self._fingerprint)

    def _passage(self, track: PlateTrack) -> _Unsealed:
        # A frame that failed halfway leaves a track without a picture: it is reported without one.
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
        return _Unsealed(result, sighting.jpeg, passage=True)

    async def _sealed(self) -> list[PendingResult]:
        """Return the results with stored evidence; a result stays listed until then."""
        while self._unsealed:
            self._ready.append(await self._pending(self._unsealed[0]))
            self._unsealed.pop(0)
        ready, self._ready = self._ready, []
        return ready

    async def _pending(self, unsealed: _Unsealed) -> PendingResult:
        subject, result, evidence = self.subject, unsealed.result, None
        if unsealed.jpeg:
            evidence = await self.parts.evidence.seal(unsealed.jpeg, "image/jpeg")
            result = replace(
                result, evidence_sha256=evidence.sha256, shown_sha256=evidence.shown_sha256
            )
        faces = await unsealed.faces.sealed() if unsealed.faces else None
        return PendingResult(
            subject.camera,
            subject.caller,
            subject.scope,
            subject.content,
            result,
            self._events(unsealed, result),
            evidence,
            faces=faces,
            is_scene=True,
        )

    def _events(self, unsealed: _Unsealed, result: FrameResult) -> tuple[OutboundEvent, ...]:
        if unsealed.passage:
            return plate_events(result, self.subject.camera)
        names = self.subject.id_of(f"since:{unsealed.since}")
        return tuple(
            outbound_event(fact, names, self.subject.camera, result, self.subject.moment)
            for fact in unsealed.facts
        )


def plate_of(track: PlateTrack) -> ReadPlate:
    """Return the plate of a track. The text is a vote over the track's readings. The box is that of
    the plate in the best frame."""
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
