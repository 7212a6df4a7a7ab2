"""The database tables of frames, device counters and signed pictures, and their SQL statements."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.tables import requests, service_now
from chassis.transaction import Tx
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from vault.keyring import DataKey
from vision.boxes import Box

from inference_gateway.cameras.model import Camera
from inference_gateway.evidence.storage import KEY_CLASS
from inference_gateway.frames.model import (
    CounterWentBack,
    EmittedEvent,
    FaceVerdict,
    FrameResult,
    PictureSignedBefore,
    ReadPlate,
    SeenFace,
    SeenObject,
)

_metadata = MetaData()
_moment = DateTime(timezone=True)

frames = Table(
    "frames",
    _metadata,
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
    _metadata,
    Column("device_key", LargeBinary, primary_key=True),
    Column("counter", BigInteger),
    Column("counted_at", _moment),
)
signed_pictures = Table(
    "signed_pictures",
    _metadata,
    Column("device_key", LargeBinary, primary_key=True),
    Column("picture_sha256", LargeBinary, primary_key=True),
    Column("counter", BigInteger),
    Column("signed_at", _moment),
)


async def request_fingerprint(tx: Tx, caller: str, request_id: UUID) -> bytes | None:
    found = await tx.scalar(
        select(requests.c.fingerprint).where(
            requests.c.caller == caller, requests.c.request_id == request_id
        )
    )
    return None if found is None else bytes(found)


async def stored_result(tx: Tx, caller: str, frame_id: UUID) -> FrameResult:
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


async def store_frame(
    tx: Tx,
    result: FrameResult,
    *,
    caller: str,
    camera: Camera,
    story: str,
    key: DataKey | None,
) -> None:
    """Store the final result of a frame, encrypted with `key`. `key` may be None only if the result
    has no plate. `caller` names who sent the frame; `story` is a correlation id."""
    assert key is not None or not result.plates
    content = result_bytes(result.as_stored)
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
    """Store `counter` as the counter of a device's newest readings, and lock the device's row until
    the transaction ends.

    Raises CounterWentBack if the counter stored for the device is the same or higher.
    """
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
    """Record that a device signed a picture together with its readings. `counter` is the running
    number of these readings.

    Raises PictureSignedBefore if the device signed the same picture before: a picture may be the
    evidence of one measurement only.
    """
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
    stored: dict[str, Any] = json.loads(content)
    return FrameResult(
        frame_id=UUID(stored["frame_id"]),
        captured_at=datetime.fromisoformat(stored["captured_at"]),
        plates=tuple(_plate(plate) for plate in stored["plates"]),
        objects=tuple(
            SeenObject(**{**seen, "box": Box(**seen["box"])}) for seen in stored["objects"]
        ),
        faces=tuple(_face(face) for face in stored["faces"]),
        events=tuple(_emitted(event) for event in stored["events"]),
        evidence_sha256=stored["evidence_sha256"],
        models_fingerprint=stored["models_fingerprint"],
        notes=tuple(stored.get("notes", ())),
    )


def _plate(stored: dict[str, Any]) -> ReadPlate:
    return ReadPlate(
        **{
            **stored,
            "box": Box(**stored["box"]),
            "character_confidences": tuple(stored["character_confidences"]),
        }
    )


def _face(stored: dict[str, Any]) -> SeenFace:
    candidate_id = UUID(stored["candidate_id"]) if stored["candidate_id"] else None
    return SeenFace(Box(**stored["box"]), FaceVerdict(stored["verdict"]), candidate_id)


def _emitted(stored: dict[str, Any]) -> EmittedEvent:
    read: dict[str, Any] = {**stored, "event_id": UUID(stored["event_id"])}
    if stored.get("box"):
        read["box"] = Box(**stored["box"])
    if stored.get("at"):
        read["at"] = datetime.fromisoformat(stored["at"])
    return EmittedEvent(**read)


def _place(caller: str, frame_id: UUID) -> str:
    return f"frames.result:{caller}:{frame_id}"
