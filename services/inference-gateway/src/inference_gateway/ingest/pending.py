"""What one transaction keeps of a frame: its result, evidence and events, all or nothing.

Looked at and sealed before the transaction; the same id again gets the stored answer.
"""

from dataclasses import dataclass, replace

from chassis.db import Database
from chassis.identity import Caller
from chassis.telemetry import annotate, context_from, current_story, link_to, span, traceparent
from chassis.transaction import Scope, Tx

from inference_gateway import metrics
from inference_gateway.cameras.model import Camera
from inference_gateway.evidence.storage import (
    KEY_CLASS,
    EvidencePlace,
    StoredEvidence,
    store_evidence,
)
from inference_gateway.frames import storage
from inference_gateway.frames.events import PLATE_READ, OutboundEvent
from inference_gateway.frames.model import FrameResult
from inference_gateway.frames.readings import Readings
from inference_gateway.watchlists.search import FaceFindings


@dataclass(frozen=True)
class PendingResult:
    """What one transaction keeps: a result, its facts and evidence, and whose it is."""

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
        """A frame of a video in which nothing happened: it is answered, and nothing is stored."""
        leads = self.faces is not None and self.faces.has_candidates
        return self.is_scene and not self.facts and not leads


async def persist(db: Database, pending: "PendingResult") -> FrameResult:
    """`persist_in` in a transaction of its own."""
    async with db.begin(pending.scope) as tx:
        return await persist_in(tx, pending)


async def persist_in(tx: Tx, pending: "PendingResult") -> FrameResult:
    """Keeps the result and emits its events, once; the stored answer where that was done before."""
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
