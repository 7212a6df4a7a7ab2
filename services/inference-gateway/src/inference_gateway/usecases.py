"""Taking frames in: one frame, one look, one transaction that keeps everything or nothing.

The picture is looked at and its sealed copy written before the transaction; frame, evidence, device
counter and events are put down together. The same frame again gets the kept answer.
"""

import asyncio
import hashlib
from dataclasses import dataclass, replace
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import IdReused, Refusal
from chassis.telemetry import annotate, context_from, current_story, link_to, span, traceparent
from chassis.transaction import Scope, Tx
from vision.detector import DetectionRequest, Detections
from vision.plates.reading import Plate

from inference_gateway import measures, storage
from inference_gateway.cameras import Cameras
from inference_gateway.events import PLATE_READ, Told, plates_told
from inference_gateway.evidence import Vault
from inference_gateway.eyes import Eyes
from inference_gateway.functions.configurations import Configurations
from inference_gateway.functions.model import CameraFunctions
from inference_gateway.limits import Queues
from inference_gateway.model import (
    ArrivedFrame,
    Camera,
    CameraNotFound,
    CameraRetired,
    CounterWentBack,
    FrameResult,
    PictureSignedBefore,
    ReadPlate,
    Seen,
    check_frame,
    measured,
)
from inference_gateway.pictures import read_picture
from inference_gateway.quarantine.ward import Ward
from inference_gateway.readings import Readings
from inference_gateway.storage import EvidencePlace, KeptEvidence
from inference_gateway.watchlists.search import FaceSearch, FacesSeen


class Intake:
    def __init__(
        self,
        db: Database,
        cameras: Cameras,
        eyes: Eyes,
        vault: Vault,
        clock: Clock,
        ward: Ward,
        configurations: Configurations,
        faces: FaceSearch,
    ) -> None:
        self._db = db
        self._cameras = cameras
        self._eyes = eyes
        self._vault = vault
        self._clock = clock
        self._ward = ward
        self._configurations = configurations
        self.faces = faces
        self._devices = Queues()

    async def camera_for(self, camera_id: UUID, caller: Caller) -> tuple[Camera, Scope]:
        """The camera, and the scope in which its rows are written. Raises CameraNotFound."""
        camera = await self._cameras.by_id(camera_id)
        if caller.operator is not None and not caller.scope.sees(camera.region):
            raise CameraNotFound
        return camera, replace(caller.scope, regions=(camera.region,))

    async def functions_of(self, camera: Camera) -> CameraFunctions:
        """What the camera's pictures are looked at for."""
        return await self._configurations.of(camera.camera_id)

    async def ingest(self, frame: ArrivedFrame, caller: Caller) -> FrameResult:
        measures.frames_arrived.add(1)
        frame = replace(frame, received_at=self._clock())
        try:
            return await self._ingest(frame, caller)
        except Refusal as refusal:
            measures.frames_refused.add(1, {"reason": refusal.reason})
            raise

    async def _ingest(self, frame: ArrivedFrame, caller: Caller) -> FrameResult:
        camera, scope = await self.camera_for(frame.camera_id, caller)
        async with self._ward.watching(frame, camera, caller, scope):
            if frame.readings is None:
                return await self._look_once(frame, camera, caller, scope)
            # Readings of one device are taken in the order they came, or a slower look at an
            # earlier frame would find the counter of a later one.
            async with self._devices.of(camera.device_key):
                return await self._look_once(frame, camera, caller, scope)

    async def _look_once(
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
        functions = await self.functions_of(camera)
        wanted = DetectionRequest(
            plates=functions.plates,
            objects=not functions.faces_alone,
            outside_models=functions.outside_models,
        )
        faces = None
        if functions.faces:
            self.faces.require_ready()
        async with self._eyes.turn(urgency=functions.urgency):
            opened = await asyncio.to_thread(read_picture, frame.picture)
            sight, fingerprint = await self._eyes.detect(opened.picture, wanted)
            if functions.faces:
                faces = await self.faces.look(
                    opened.picture,
                    camera,
                    taken_at,
                    content=lambda: frame.picture,
                    fingerprint=fingerprint,
                )
        result = FrameResult(
            frame.frame_id,
            taken_at,
            plates_of(sight),
            objects_of(sight),
            models_fingerprint=fingerprint,
            notes=opened.notes,
        )
        readings = frame.readings.readings if frame.readings else None
        kept = None
        if result.plates or readings is not None:
            kept = await self._vault.seal(frame.picture, content_type(frame.picture))
            result = replace(result, evidence_sha256=kept.sha256, shown_sha256=kept.shown_sha256)
        if faces is not None:
            faces = await faces.sealed()
        facts = plates_told(result, camera, readings, frame.received_at)
        if readings is not None and facts and measured(result.plates) is None:
            measures.readings_unassigned.add(1)
        return await self.settle(
            Settling(camera, caller, scope, frame.content, result, facts, kept, readings, faces)
        )

    async def settle(self, settling: "Settling") -> FrameResult:
        """`settle_in` in a transaction of its own."""
        async with self._db.begin(settling.scope) as tx:
            return await self.settle_in(tx, settling)

    async def settle_in(self, tx: Tx, settling: "Settling") -> FrameResult:
        """Keeps what was seen and tells it, once; the kept answer when it was told before."""
        if settling.is_passing:
            faces = settling.faces.faces if settling.faces else ()
            return replace(settling.result, faces=faces)
        caller, frame_id = settling.caller.key, settling.result.frame_id
        if not await tx.once(caller, frame_id, settling.content):
            return await storage.kept_result(tx, caller, frame_id)
        if settling.readings is not None:
            key, readings = settling.camera.device_key, settling.readings
            await storage.count_up(tx, key, readings.counter)
            await storage.note_signed(tx, key, readings.frame_sha256, readings.counter)
        if not settling.is_scene:
            return await _keep(tx, settling)
        # A story of its own: a stream runs for days, and what passes in it has nothing to do with
        # what passed before.
        with span("something passed", parent=context_from(""), links=link_to(traceparent())):
            annotate(camera=str(settling.camera.camera_id), frame=str(frame_id))
            return await _keep(tx, settling)

    async def _answered(
        self, frame: ArrivedFrame, caller: Caller, scope: Scope
    ) -> FrameResult | None:
        """The kept answer, before anything is looked at again. Raises IdReused."""
        async with self._db.begin(scope) as tx:
            known = await storage.request_fingerprint(tx, caller.key, frame.frame_id)
            if known is None:
                return None
            if known != hashlib.sha256(frame.content).digest():
                raise IdReused
            return await storage.kept_result(tx, caller.key, frame.frame_id)

    async def _check_new(self, camera: Camera, readings: Readings, scope: Scope) -> None:
        """Spares the models what the transaction would refuse."""
        async with self._db.begin(scope) as tx:
            last = await storage.last_counter(tx, camera.device_key)
            signed = await storage.was_signed(tx, camera.device_key, readings.frame_sha256)
        if last is not None and readings.counter <= last:
            raise CounterWentBack
        if signed:
            raise PictureSignedBefore


@dataclass(frozen=True)
class Settling:
    """What one transaction keeps: a result, its facts and evidence, and whose it is."""

    camera: Camera
    caller: Caller
    scope: Scope
    content: bytes
    result: FrameResult
    facts: tuple[Told, ...] = ()
    kept: KeptEvidence | None = None
    readings: Readings | None = None
    faces: FacesSeen | None = None
    # Of a film or stream, not a frame that somebody sent alone.
    is_scene: bool = False

    @property
    def is_passing(self) -> bool:
        """A frame of a film in which nothing happened: it is answered, and nothing is kept."""
        leads = self.faces is not None and self.faces.has_candidates
        return self.is_scene and not self.facts and not leads


async def _keep(tx: Tx, settling: Settling) -> FrameResult:
    camera, kept = settling.camera, settling.kept
    result, facts = settling.result, settling.facts
    if settling.faces is not None:
        seen = await settling.faces.keep(tx)
        result, facts = replace(result, faces=seen.faces), (*facts, *seen.told)
    result = replace(result, events=tuple(told.emitted for told in facts))
    key = kept.key if kept else None
    if key is None and (result.plates or result.as_kept.faces):
        key = await tx.keys.new(storage.KEY_CLASS)
    if kept is not None:
        await storage.keep_evidence(tx, kept, EvidencePlace(camera.region))
        tx.audit(
            "keep_evidence",
            f"evidence:{kept.sha256}",
            region=camera.region,
            facts={"camera": str(camera.camera_id), "frame": str(result.frame_id)},
        )
    await storage.keep_frame(
        tx,
        result,
        caller=settling.caller.key,
        camera=camera,
        story=current_story(),
        key=key,
    )
    for told in settling.facts:
        tx.emit(told.event)
        if told.event.subject == PLATE_READ:
            measures.plates_read.add(1)
    return result


def check_camera_in_use(camera: Camera) -> None:
    if camera.retired:
        raise CameraRetired


def plates_of(sight: Detections) -> tuple[ReadPlate, ...]:
    return tuple(read_plate(plate) for plate in sight.plates)


def read_plate(plate: Plate) -> ReadPlate:
    return ReadPlate(
        plate.text,
        plate.confidence,
        plate.character_confidences,
        plate.box,
        plate.country,
        plate.plate_type,
        plate.legible,
    )


def objects_of(sight: Detections) -> tuple[Seen, ...]:
    return tuple(Seen(seen.label, seen.score, seen.box) for seen in sight.objects)


def content_type(picture: bytes) -> str:
    """Of a picture that was decoded, so one of the three."""
    if picture.startswith(b"\xff\xd8"):
        return "image/jpeg"
    return "image/png" if picture.startswith(b"\x89PNG") else "image/webp"
