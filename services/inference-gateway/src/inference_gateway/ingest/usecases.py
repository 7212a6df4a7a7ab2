"""Ingestion of one frame: it is checked, run through the models, and stored in one transaction.

Inference and the writing of the encrypted picture precede the transaction, which writes frame,
evidence, device counter and events together. If a frame is sent again, the stored result is
returned.
"""

import asyncio
import hashlib
from dataclasses import dataclass, replace

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import IdReused, Refusal
from chassis.telemetry import annotate, context_from, current_story, link_to, span, traceparent
from chassis.transaction import Scope, Tx
from vision.detector import DetectionRequest
from vision.pictures import content_type

from inference_gateway import metrics
from inference_gateway.admission import InferencePool, KeyedLocks
from inference_gateway.camera_rules.model import CameraFunctions
from inference_gateway.camera_rules.storage import Configurations
from inference_gateway.cameras.clients import Cameras
from inference_gateway.cameras.model import Camera
from inference_gateway.evidence.storage import (
    KEY_CLASS,
    EvidencePlace,
    StoredEvidence,
    store_evidence,
)
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.frames import storage
from inference_gateway.frames.events import PLATE_READ, OutboundEvent, plate_events
from inference_gateway.frames.model import (
    ArrivedFrame,
    CounterWentBack,
    FrameResult,
    PictureSignedBefore,
    Readings,
    check_frame,
    measured,
    objects_of,
    plates_of,
    read_picture,
)
from inference_gateway.quarantine.guard import QuarantineGuard
from inference_gateway.watchlists.search import FaceFindings, FaceSearch


@dataclass(frozen=True)
class SessionParts:
    """What is needed to process frames and videos; `faces` is None if there is no face search."""

    pool: InferencePool
    evidence: EvidenceStore
    faces: FaceSearch | None = None


class Intake:
    """Processes single frames, which arrive by the RPC `IngestFrame` or are streamed by edge boxes
    (computers at cameras) with `SendFrames`."""

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
        """Run inference on a frame, store its result, evidence and events together, and return the
        result. If the frame is already stored, return the stored result.

        Raises IdReused if the stored frame with this id has other content, and the refusals listed
        for `IngestFrame` in inference.proto.
        """
        metrics.frames_arrived.add(1)
        frame = replace(frame, received_at=self._clock())
        try:
            return await self._ingest(frame, caller)
        except Refusal as refusal:
            metrics.frames_refused.add(1, {"reason": refusal.reason})
            raise

    async def _ingest(self, frame: ArrivedFrame, caller: Caller) -> FrameResult:
        camera, scope = await self._cameras.for_caller(frame.camera_id, caller)
        try:
            return await self._detect_in_order(frame, camera, caller, scope)
        except Refusal as refusal:
            await self._guard.quarantine(refusal, frame, camera, caller, scope)
            raise

    async def _detect_in_order(
        self, frame: ArrivedFrame, camera: Camera, caller: Caller, scope: Scope
    ) -> FrameResult:
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
        faces, search = None, self._faces if functions.faces else None
        if search is not None:
            search.require_ready()
        async with self._pool.slot(urgency=functions.urgency):
            opened = await asyncio.to_thread(read_picture, frame.picture)
            detections, fingerprint = await self._pool.detect(opened.picture, request_of(functions))
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
        """The stored result of a repeated frame; None for a new frame. Raises IdReused."""
        async with self._db.begin(scope) as tx:
            known = await storage.request_fingerprint(tx, caller.key, frame.frame_id)
            if known is None:
                return None
            if known != hashlib.sha256(frame.content).digest():
                raise IdReused
            return await storage.stored_result(tx, caller.key, frame.frame_id)

    async def _check_new(self, camera: Camera, readings: Readings, scope: Scope) -> None:
        """Check before inference what the transaction checks again.

        Raises CounterWentBack or PictureSignedBefore.
        """
        async with self._db.begin(scope) as tx:
            last = await storage.last_counter(tx, camera.device_key)
            signed = await storage.was_signed(tx, camera.device_key, readings.frame_sha256)
        if last is not None and readings.counter <= last:
            raise CounterWentBack
        if signed:
            raise PictureSignedBefore


def request_of(functions: CameraFunctions) -> DetectionRequest:
    """Return what the models are to detect in a single frame of a camera with these functions.
    Objects are left out if the search for faces is the camera's only function."""
    faces_alone = functions.faces and not (
        functions.plates or functions.over_time or functions.outside_models
    )
    return DetectionRequest(
        plates=functions.plates, objects=not faces_alone, outside_models=functions.outside_models
    )


@dataclass(frozen=True)
class PendingResult:
    """A result to store in one transaction, with the evidence, camera and caller. The field `facts`
    has the events. If the caller sends a frame with this id again, the `content` must be the same.
    `is_scene` is True if the frame is of a video or stream, False if it was sent alone."""

    camera: Camera
    caller: Caller
    scope: Scope
    content: bytes
    result: FrameResult
    facts: tuple[OutboundEvent, ...] = ()
    evidence: StoredEvidence | None = None
    readings: Readings | None = None
    faces: FaceFindings | None = None
    # Of a film or stream, not a frame that somebody sent alone.
    is_scene: bool = False

    @property
    def is_passing(self) -> bool:
        """Whether the result is returned without being stored. It is, if the frame is of a video or
        stream, and there are no events and no faces that may match a watch list."""
        leads = self.faces is not None and self.faces.has_candidates
        return self.is_scene and not self.facts and not leads


async def persist(db: Database, pending: PendingResult) -> FrameResult:
    """Store the result in a new transaction; returns and raises the same as `persist_in`."""
    async with db.begin(pending.scope) as tx:
        return await persist_in(tx, pending)


async def persist_in(tx: Tx, pending: PendingResult) -> FrameResult:
    """Store the result, emit its events, and return it. If a result of this frame is already
    stored, return the stored one. If `pending.is_passing`, store nothing and return the result.

    Raises IdReused if the frame stored with this id has other content. Raises CounterWentBack if
    the counter of the device's readings did not rise, or PictureSignedBefore if the device signed
    the same picture before.
    """
    if pending.is_passing:
        faces = pending.faces.faces if pending.faces else ()
        return replace(pending.result, faces=faces)
    caller, frame_id = pending.caller.key, pending.result.frame_id
    if not await tx.once(caller, frame_id, pending.content):
        return await storage.stored_result(tx, caller, frame_id)
    if pending.readings is not None:
        key, readings = pending.camera.device_key, pending.readings
        await storage.count_up(tx, key, readings.counter)
        await storage.note_signed(tx, key, readings.frame_sha256, readings.counter)
    if not pending.is_scene:
        return await _persist(tx, pending)
    # A story of its own: a stream runs for days, and what passes in it has nothing to do with
    # what passed before.
    with span("something passed", parent=context_from(""), links=link_to(traceparent())):
        annotate(camera=str(pending.camera.camera_id), frame=str(frame_id))
        return await _persist(tx, pending)


async def _persist(tx: Tx, pending: PendingResult) -> FrameResult:
    camera, evidence = pending.camera, pending.evidence
    result, facts = pending.result, pending.facts
    if pending.faces is not None:
        seen = await pending.faces.keep(tx)
        result, facts = replace(result, faces=seen.faces), (*facts, *seen.events)
    result = replace(result, events=tuple(outbound.emitted for outbound in facts))
    key = evidence.key if evidence else None
    if key is None and (result.plates or result.as_stored.faces):
        key = await tx.keys.new(KEY_CLASS)
    if evidence is not None:
        await store_evidence(tx, evidence, EvidencePlace(camera.region))
        tx.audit(
            "keep_evidence",
            f"evidence:{evidence.sha256}",
            region=camera.region,
            facts={"camera": str(camera.camera_id), "frame": str(result.frame_id)},
        )
    await storage.store_frame(
        tx,
        result,
        caller=pending.caller.key,
        camera=camera,
        story=current_story(),
        key=key,
    )
    for outbound in pending.facts:
        tx.emit(outbound.event)
        if outbound.event.subject == PLATE_READ:
            metrics.plates_read.add(1)
    return result
