"""The tables of this schema, and every statement over them."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.tables import requests, service_now
from chassis.transaction import Tx
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from vault.keyring import DataKey
from vision.boxes import Box

from inference_gateway.evidence.storage import KEY_CLASS as KEY_CLASS
from inference_gateway.evidence.storage import EvidencePlace as EvidencePlace
from inference_gateway.evidence.storage import KeptEvidence as KeptEvidence
from inference_gateway.evidence.storage import keep_evidence as keep_evidence
from inference_gateway.model import (
    Camera,
    CounterWentBack,
    Emitted,
    FaceVerdict,
    FrameResult,
    PictureSignedBefore,
    ReadPlate,
    Seen,
    SeenFace,
)

metadata = MetaData()
_moment = DateTime(timezone=True)

cameras = Table(
    "cameras",
    metadata,
    Column("camera_id", Uuid, primary_key=True),
    Column("region", Text),
    Column("known_version", BigInteger),
    Column("version", BigInteger),
    Column("serial", Text),
    Column("device_key", LargeBinary),
    Column("retired", Boolean),
    Column("fetched_at", _moment),
)
frames = Table(
    "frames",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("frame_id", Uuid, primary_key=True),
    Column("camera_id", Uuid),
    Column("region", Text),
    Column("captured_at", _moment),
    Column("story", Text),
    Column("evidence_sha256", Text),
    Column("key_id", Uuid),
    Column("result", LargeBinary),
)
device_counters = Table(
    "device_counters",
    metadata,
    Column("device_key", LargeBinary, primary_key=True),
    Column("counter", BigInteger),
    Column("counted_at", _moment),
)
signed_pictures = Table(
    "signed_pictures",
    metadata,
    Column("device_key", LargeBinary, primary_key=True),
    Column("picture_sha256", LargeBinary, primary_key=True),
    Column("counter", BigInteger),
    Column("signed_at", _moment),
)


@dataclass(frozen=True)
class CachedCamera:
    """A camera as it was last told, and whether it may be used without asking again."""

    camera: Camera | None
    fetched_at: datetime | None


async def cached_camera(tx: Tx, camera_id: UUID) -> CachedCamera:
    row = (await tx.execute(select(cameras).where(cameras.c.camera_id == camera_id))).one_or_none()
    if row is None or row.fetched_at is None:
        return CachedCamera(None, None)
    camera = Camera(
        row.camera_id, row.region, row.version, row.serial, bytes(row.device_key), row.retired
    )
    return CachedCamera(camera, row.fetched_at if row.version >= row.known_version else None)


async def cache_camera(tx: Tx, camera: Camera, fetched_at: datetime) -> None:
    """Keeps what the register answered, unless something newer is there already."""
    told = {
        "region": camera.region,
        "version": camera.version,
        "serial": camera.serial,
        "device_key": camera.device_key,
        "fetched_at": fetched_at,
    }
    new = insert(cameras).values(
        camera_id=camera.camera_id, known_version=camera.version, retired=camera.retired, **told
    )
    await tx.execute(
        new.on_conflict_do_update(
            index_elements=["camera_id"],
            set_={
                **told,
                "known_version": func.greatest(cameras.c.known_version, camera.version),
                "retired": cameras.c.retired | camera.retired,
            },
            where=cameras.c.version <= camera.version,
        )
    )


async def announce_camera(
    tx: Tx, camera_id: UUID, *, region: str, version: int, retired: bool = False
) -> bool:
    """An event told of a version: what is kept of an older one must be asked for again.

    Whether no newer one is known: events may come late, or twice.
    """
    new = insert(cameras).values(
        camera_id=camera_id,
        region=region,
        known_version=version,
        version=0,
        serial="",
        device_key=b"",
        retired=retired,
    )
    newest = await tx.scalar(
        new.on_conflict_do_update(
            index_elements=["camera_id"],
            set_={
                "known_version": func.greatest(cameras.c.known_version, version),
                "retired": cameras.c.retired | retired,
            },
        ).returning(cameras.c.known_version)
    )
    return bool(newest == version)


async def request_fingerprint(tx: Tx, caller: str, request_id: UUID) -> bytes | None:
    found = await tx.scalar(
        select(requests.c.fingerprint).where(
            requests.c.caller == caller, requests.c.request_id == request_id
        )
    )
    return None if found is None else bytes(found)


async def kept_result(tx: Tx, caller: str, frame_id: UUID) -> FrameResult:
    row = (
        await tx.execute(
            select(frames).where(frames.c.caller == caller, frames.c.frame_id == frame_id)
        )
    ).one()
    content = bytes(row.result)
    if row.key_id is not None:
        key = await tx.keys.get(KEY_CLASS, row.key_id)
        content = key.open(content, _place(caller, frame_id))
    return result_from(content)


async def keep_frame(
    tx: Tx,
    result: FrameResult,
    *,
    caller: str,
    camera: Camera,
    story: str,
    key: DataKey | None,
) -> None:
    """The answer for good; sealed when there is a key. Without one it must hold no plate."""
    assert key is not None or not result.plates
    content = result_bytes(result.as_kept)
    if key is not None:
        content = key.seal(content, _place(caller, result.frame_id))
    await tx.execute(
        insert(frames).values(
            caller=caller,
            frame_id=result.frame_id,
            camera_id=camera.camera_id,
            region=camera.region,
            captured_at=result.captured_at,
            story=story,
            evidence_sha256=result.evidence_sha256 or None,
            key_id=key.key_id if key else None,
            result=content,
        )
    )


async def count_up(tx: Tx, device_key: bytes, counter: int) -> None:
    """Raises CounterWentBack; the row stays locked until the transaction ends."""
    new = insert(device_counters).values(device_key=device_key, counter=counter)
    grown = await tx.execute(
        new.on_conflict_do_update(
            index_elements=["device_key"],
            set_={"counter": counter, "counted_at": service_now},
            where=device_counters.c.counter < counter,
        )
    )
    if not grown.rowcount:
        raise CounterWentBack


async def note_signed(tx: Tx, device_key: bytes, picture_sha256: bytes, counter: int) -> None:
    """Raises PictureSignedBefore: a picture is evidence of one measurement."""
    new = insert(signed_pictures).values(
        device_key=device_key, picture_sha256=picture_sha256, counter=counter
    )
    if not (await tx.execute(new.on_conflict_do_nothing())).rowcount:
        raise PictureSignedBefore


async def was_signed(tx: Tx, device_key: bytes, picture_sha256: bytes) -> bool:
    query = select(signed_pictures.c.counter).where(
        signed_pictures.c.device_key == device_key,
        signed_pictures.c.picture_sha256 == picture_sha256,
    )
    return await tx.scalar(query) is not None


async def last_counter(tx: Tx, device_key: bytes) -> int | None:
    found = await tx.scalar(
        select(device_counters.c.counter).where(device_counters.c.device_key == device_key)
    )
    return None if found is None else int(found)


def result_bytes(result: FrameResult) -> bytes:
    return json.dumps(asdict(result), default=str, separators=(",", ":")).encode()


def result_from(content: bytes) -> FrameResult:
    told: dict[str, Any] = json.loads(content)
    return FrameResult(
        frame_id=UUID(told["frame_id"]),
        captured_at=datetime.fromisoformat(told["captured_at"]),
        plates=tuple(_plate(plate) for plate in told["plates"]),
        objects=tuple(Seen(**{**seen, "box": Box(**seen["box"])}) for seen in told["objects"]),
        faces=tuple(_face(face) for face in told["faces"]),
        events=tuple(_emitted(event) for event in told["events"]),
        evidence_sha256=told["evidence_sha256"],
        models_fingerprint=told["models_fingerprint"],
        notes=tuple(told.get("notes", ())),
    )


def _plate(told: dict[str, Any]) -> ReadPlate:
    return ReadPlate(
        **{
            **told,
            "box": Box(**told["box"]),
            "character_confidences": tuple(told["character_confidences"]),
        }
    )


def _face(told: dict[str, Any]) -> SeenFace:
    candidate_id = UUID(told["candidate_id"]) if told["candidate_id"] else None
    return SeenFace(Box(**told["box"]), FaceVerdict(told["verdict"]), candidate_id)


def _emitted(told: dict[str, Any]) -> Emitted:
    read: dict[str, Any] = {**told, "event_id": UUID(told["event_id"])}
    if told.get("box"):
        read["box"] = Box(**told["box"])
    if told.get("at"):
        read["at"] = datetime.fromisoformat(told["at"])
    return Emitted(**read)


def _place(caller: str, frame_id: UUID) -> str:
    return f"frames.result:{caller}:{frame_id}"
