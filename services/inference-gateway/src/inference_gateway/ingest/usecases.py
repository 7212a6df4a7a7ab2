"""One frame: checked, run through the models, persisted in one transaction.

Inference runs and the sealed copy is written before the transaction; frame, evidence, device
counter and events are written together. The same frame again gets the stored answer.
"""

import asyncio
import hashlib
from dataclasses import replace

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import IdReused, Refusal
from chassis.transaction import Scope
from vision.detector import DetectionRequest

from inference_gateway import metrics
from inference_gateway.admission import KeyedLocks
from inference_gateway.camera_rules.configurations import Configurations
from inference_gateway.cameras.model import Camera
from inference_gateway.cameras.usecases import Cameras
from inference_gateway.frames import storage
from inference_gateway.frames.events import plate_events
from inference_gateway.frames.model import (
    ArrivedFrame,
    CounterWentBack,
    FrameResult,
    PictureSignedBefore,
    check_frame,
    measured,
    objects_of,
    plates_of,
)
from inference_gateway.frames.pictures import content_type, read_picture
from inference_gateway.frames.readings import Readings
from inference_gateway.ingest.pending import PendingResult, persist
from inference_gateway.ingest.video_session import SessionParts
from inference_gateway.quarantine.guard import QuarantineGuard


class Intake:
    """Single frames that are sent in; see `IngestFrame` and `SendFrames`."""

    def __init__(
        self,
        db: Database,
        cameras: Cameras,
        configurations: Configurations,
        parts: SessionParts,
        guard: QuarantineGuard,
        clock: Clock,
    ) -> None:
        self._db = db
        self._cameras = cameras
        self._configurations = configurations
        self._pool = parts.pool
        self._evidence = parts.evidence
        self._faces = parts.faces
        self._guard = guard
        self._clock = clock
        self._devices = KeyedLocks()

    async def ingest(self, frame: ArrivedFrame, caller: Caller) -> FrameResult:
        metrics.frames_arrived.add(1)
        frame = replace(frame, received_at=self._clock())
        try:
            return await self._ingest(frame, caller)
        except Refusal as refusal:
            metrics.frames_refused.add(1, {"reason": refusal.reason})
            raise

    async def _ingest(self, frame: ArrivedFrame, caller: Caller) -> FrameResult:
        camera, scope = await self._cameras.for_caller(frame.camera_id, caller)
        async with self._guard.guarding(frame, camera, caller, scope):
            if frame.readings is None:
                return await self._detect_once(frame, camera, caller, scope)
            # Readings of one device are taken in the order they came, or a slower inference on an
            # earlier frame would find the counter of a later one.
            async with self._devices.of(camera.device_key):
                return await self._detect_once(frame, camera, caller, scope)

    async def _detect_once(
        self, frame: ArrivedFrame, camera: Camera, caller: Caller, scope: Scope
    ) -> FrameResult:
        answered = await self._answered(frame, caller, scope)
        if answered is not None:
            return answered
        now = self._clock()
        check_frame(frame, camera, now)
        # A camera's clock may run a little ahead of ours; what it saw is dated now, not then.
        taken_at = min(frame.captured_at, now)
        if frame.readings is not None:
            await self._check_new(camera, frame.readings.readings, scope)
        functions = await self._configurations.of(camera.camera_id)
        request = DetectionRequest(
            plates=functions.plates,
            objects=not functions.faces_alone,
            outside_models=functions.outside_models,
        )
        faces, search = None, self._faces if functions.faces else None
        if search is not None:
            search.require_ready()
        async with self._pool.slot(urgency=functions.urgency):
            opened = await asyncio.to_thread(read_picture, frame.picture)
            detections, fingerprint = await self._pool.detect(opened.picture, request)
            if search is not None:
                faces = await search.search(
                    opened.picture,
                    camera,
                    taken_at,
                    content=lambda: frame.picture,
                    fingerprint=fingerprint,
                )
        result = FrameResult(
            frame.frame_id,
            taken_at,
            plates_of(detections),
            objects_of(detections),
            models_fingerprint=fingerprint,
            notes=opened.notes,
        )
        readings = frame.readings.readings if frame.readings else None
        evidence = None
        if result.plates or readings is not None:
            evidence = await self._evidence.seal(frame.picture, content_type(frame.picture))
            result = replace(
                result, evidence_sha256=evidence.sha256, shown_sha256=evidence.shown_sha256
            )
        if faces is not None:
            faces = await faces.sealed()
        facts = plate_events(result, camera, readings, frame.received_at)
        if readings is not None and facts and measured(result.plates) is None:
            metrics.readings_unassigned.add(1)
        return await persist(
            self._db,
            PendingResult(
                camera, caller, scope, frame.content, result, facts, evidence, readings, faces
            ),
        )

    async def _answered(
        self, frame: ArrivedFrame, caller: Caller, scope: Scope
    ) -> FrameResult | None:
        """The stored answer, before inference runs again. Raises IdReused."""
        async with self._db.begin(scope) as tx:
            known = await storage.request_fingerprint(tx, caller.key, frame.frame_id)
            if known is None:
                return None
            if known != hashlib.sha256(frame.content).digest():
                raise IdReused
            return await storage.stored_result(tx, caller.key, frame.frame_id)

    async def _check_new(self, camera: Camera, readings: Readings, scope: Scope) -> None:
        """Spares the models what the transaction would refuse."""
        async with self._db.begin(scope) as tx:
            last = await storage.last_counter(tx, camera.device_key)
            signed = await storage.was_signed(tx, camera.device_key, readings.frame_sha256)
        if last is not None and readings.counter <= last:
            raise CounterWentBack
        if signed:
            raise PictureSignedBefore
