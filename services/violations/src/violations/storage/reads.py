"""Storage of plate reads. Each read has its own data key, with which its plate is encrypted; the
key is destroyed when the read has been assessed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import Select, Text, cast, select, update
from sqlalchemy.dialects.postgresql import insert

from violations.model import Plate, Readings
from violations.storage.tables import KEY_CLASS, reads
from violations.storage.violations import plate_from, plate_text, readings_from, readings_json


@dataclass(frozen=True)
class Read:
    """A plate read that is not assessed yet, with readings of the measuring device. `arrived_at` is
    when the frame reached the inference gateway. `shown_sha256` is the hash of the picture as shown
    to officers, "" if unknown. `was_held` is True if the read was held during a degradation."""

    read_id: UUID
    camera_id: UUID
    captured_at: datetime
    # When its frame reached the inference gateway.
    arrived_at: datetime
    plate: Plate
    readings: Readings
    evidence_sha256: str
    models_fingerprint: str
    story: str
    # It was held during a degradation.
    was_held: bool = False
    # SHA-256 of the form shown to officers; "" where it is not known.
    shown_sha256: str = ""


async def add_read(tx: Tx, read: Read, now: datetime) -> bool:
    """Store a plate read. Returns False if the read is already stored."""
    key = await tx.keys.new(KEY_CLASS)
    sealed = key.seal(plate_text(read.plate), f"reads.plate:{read.read_id}")
    added = await tx.execute(
        insert(reads)
        .values(
            read_id=read.read_id,
            camera_id=read.camera_id,
            captured_at=read.captured_at,
            key_id=key.key_id,
            plate_sealed=sealed,
            readings=readings_json(read.readings),
            evidence_sha256=read.evidence_sha256,
            models_fingerprint=read.models_fingerprint,
            story=read.story,
            received_at=now,
            arrived_at=read.arrived_at,
            shown_sha256=read.shown_sha256,
        )
        .on_conflict_do_nothing()
    )
    return bool(added.rowcount)


async def find_pending(tx: Tx, read_id: UUID) -> Read | None:
    """Return the plate read, or None if it is already assessed or not stored."""
    return await _found(tx, _pending(read_id))


async def find_pending_for_update(tx: Tx, read_id: UUID) -> Read | None:
    """Return the plate read and lock its row; return None if it is already assessed or not
    stored."""
    return await _found(tx, _pending(read_id).with_for_update())


def _pending(read_id: UUID) -> Select[Any]:
    return select(reads).where(reads.c.read_id == read_id, reads.c.outcome.is_(None))


async def _found(tx: Tx, query: Select[Any]) -> Read | None:
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    key = await tx.keys.get(KEY_CLASS, row.key_id)
    plate = key.open_text(bytes(row.plate_sealed), f"reads.plate:{row.read_id}")
    return Read(
        read_id=row.read_id,
        camera_id=row.camera_id,
        captured_at=row.captured_at,
        arrived_at=row.arrived_at or row.received_at,
        plate=plate_from(plate),
        readings=readings_from(row.readings),
        evidence_sha256=row.evidence_sha256,
        models_fingerprint=row.models_fingerprint,
        story=row.story,
        was_held=row.held_by is not None,
        shown_sha256=row.shown_sha256,
    )


async def close_read(tx: Tx, read_id: UUID, outcome: str, now: datetime) -> None:
    """Store the outcome of a read's assessment, delete the read's plate and destroy its data key. A
    resulting violation has its own copy of the plate.

    The key is not put on the list of erasures, which is applied after the database is restored. So
    a database restored to an earlier time has the key again, and can assess the read again.
    """
    closed = await tx.execute(
        update(reads)
        .where(reads.c.read_id == read_id)
        .values(outcome=outcome, assessed_at=now, plate_sealed=None)
        .returning(reads.c.key_id)
    )
    await tx.keys.discard(closed.one().key_id)


# A read's key goes when the read is assessed, without an audit entry: there are too many of them.
KEYS_OF_CLOSED = select(reads.c.key_id).where(reads.c.outcome.is_not(None))
# By kind of scheduled work: the keys of the work for which reads wait. A read that is held waits
# for the end of a degradation.
AWAITED: Mapping[str, Select[Any]] = {
    "assess": select(cast(reads.c.read_id, Text).label("key")).where(
        reads.c.outcome.is_(None), reads.c.held_by.is_(None)
    )
}
