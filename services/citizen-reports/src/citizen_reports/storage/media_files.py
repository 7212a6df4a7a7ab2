"""Stores the bytes of a report's files until they are in the evidence store: the originals as they
were uploaded, and their clean forms. Both are stored in pieces, encrypted with the report's key.

Also stores when and where a file was taken, encrypted with the same key. Row-level security shows
these rows only to those who may see who reported.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.transaction import Scope, Tx
from sqlalchemy import ColumnElement, Table, delete, func, insert, select
from vault.keyring import DataKey

from citizen_reports.model.findings import Taken
from citizen_reports.model.media import Media
from citizen_reports.storage.contents import report_key
from citizen_reports.storage.tables import (
    clean_chunks,
    dropped_media,
    first_frames,
    media,
    media_chunks,
    media_taken,
)

# How many pieces of a file are read into memory together. A piece has at most 512 KiB.
_PIECES_AT_ONCE = 2


async def add_chunk(tx: Tx, item: Media, start: int, content: bytes) -> None:
    """Add a piece of an original: `content`, which begins at the byte `start` of the file."""
    key = await report_key(tx, item.report_id)
    tx.add(media_chunks, _row(key, media_chunks, item, start, content))


async def add_clean_form(tx: Tx, item: Media, pieces: AsyncIterator[bytes]) -> None:
    """Add the clean form of a file. `pieces` yields its bytes in order."""
    key, start = await report_key(tx, item.report_id), 0
    async for piece in pieces:
        # Not by `tx.add`, which would keep all pieces in memory until the transaction ends.
        await tx.execute(insert(clean_chunks), _row(key, clean_chunks, item, start, piece))
        start += len(piece)


async def has_bytes(tx: Tx, item: Media, start: int, content: bytes) -> bool:
    """Return whether the original has the bytes `content` at `start`. Returns True without a check
    if the pieces of the file were deleted, because the file is in the evidence store."""
    chunk = media_chunks.c.start
    end = start + len(content)
    first = select(func.max(chunk)).where(*_of(media_chunks, item), chunk <= start)
    query = (
        select(chunk, media_chunks.c.sealed)
        .where(*_of(media_chunks, item), chunk >= first.scalar_subquery(), chunk < end)
        .order_by(chunk)
    )
    rows = (await tx.execute(query)).all()
    if not rows:
        return True
    key = await report_key(tx, item.report_id)
    found = b"".join(key.open(row.sealed, _place(media_chunks, item, row.start)) for row in rows)
    return found[start - rows[0].start :].startswith(content)


def original_pieces(db: Database, scope: Scope, item: Media) -> AsyncIterator[bytes]:
    """Yield the decrypted pieces of an original, in order. Each transaction reads a few pieces, and
    ends before they are yielded. Raises KeyError if the report's key was destroyed."""
    return _pieces(db, scope, media_chunks, item)


def clean_pieces(db: Database, scope: Scope, item: Media) -> AsyncIterator[bytes]:
    """Yield the decrypted pieces of a clean form, in order; see `original_pieces`."""
    return _pieces(db, scope, clean_chunks, item)


async def drop_chunks(tx: Tx, item: Media) -> None:
    """Delete the bytes that are stored here of a file: original, clean form and first frame."""
    for table in (media_chunks, clean_chunks, first_frames):
        await tx.execute(delete(table).where(*_of(table, item)))


async def drop(tx: Tx, item: Media) -> None:
    """Delete all rows of a file of a draft, and record that the app took the file back."""
    await drop_chunks(tx, item)
    for table in (media_taken, media):
        await tx.execute(delete(table).where(*_of(table, item)))
    tx.add(dropped_media, {"report_id": item.report_id, "media_id": item.media_id})


async def was_dropped(tx: Tx, report_id: UUID, media_id: UUID) -> bool:
    """Return whether the app took a file back before it submitted the report."""
    query = select(dropped_media.c.media_id).where(
        dropped_media.c.report_id == report_id, dropped_media.c.media_id == media_id
    )
    return await tx.scalar(query) is not None


async def add_taken(tx: Tx, item: Media, taken: Taken, partner: str) -> None:
    """Store when and where a file was taken. `partner` is the partner whose app sent the report."""
    key = await report_key(tx, item.report_id)
    facts = {
        "at": taken.at.isoformat() if taken.at else "",
        "latitude": taken.latitude,
        "longitude": taken.longitude,
    }
    row = {
        "report_id": item.report_id,
        "media_id": item.media_id,
        "partner": partner,
        "sealed": key.seal(json.dumps(facts), _taken_place(item.report_id, item.media_id)),
    }
    await tx.execute(insert(media_taken).values(row))


async def with_taken(tx: Tx, items: Sequence[Media], key: DataKey | None) -> list[Media]:
    """Return the files of one report, each with the time and place at which it was taken; without
    them if the transaction's scope may not see them, or `key`, the report's data key, is None."""
    if not items or key is None:
        return list(items)
    query = select(media_taken).where(media_taken.c.report_id == items[0].report_id)
    found = {row.media_id: _to_taken(row, key) for row in await tx.execute(query)}
    return [replace(item, taken=found.get(item.media_id, Taken())) for item in items]


def _row(key: DataKey, table: Table, item: Media, start: int, content: bytes) -> dict[str, Any]:
    sealed = key.seal(content, _place(table, item, start))
    ids = {"report_id": item.report_id, "media_id": item.media_id}
    return {**ids, "start": start, "sealed": sealed}


async def _pieces(db: Database, scope: Scope, table: Table, item: Media) -> AsyncIterator[bytes]:
    start = 0
    while True:
        query = (
            select(table.c.start, table.c.sealed)
            .where(*_of(table, item), table.c.start >= start)
            .order_by(table.c.start)
            .limit(_PIECES_AT_ONCE)
        )
        async with db.begin(scope) as tx:
            key = await report_key(tx, item.report_id)
            rows = (await tx.execute(query)).all()
        for row in rows:
            yield key.open(row.sealed, _place(table, item, row.start))
        if len(rows) < _PIECES_AT_ONCE:
            return
        start = rows[-1].start + 1


def _of(table: Table, item: Media) -> tuple[ColumnElement[bool], ...]:
    return table.c.report_id == item.report_id, table.c.media_id == item.media_id


def _place(table: Table, item: Media, start: int) -> str:
    """The context to which the encryption binds a piece: no piece can stand in for another one."""
    return f"{table.name}.sealed:{item.report_id}/{item.media_id}/{start}"


def _taken_place(report_id: UUID, media_id: UUID) -> str:
    return f"media_taken.sealed:{report_id}/{media_id}"


def _to_taken(row: Any, key: DataKey) -> Taken:
    facts = json.loads(key.open_text(row.sealed, _taken_place(row.report_id, row.media_id)))
    at = datetime.fromisoformat(facts["at"]) if facts["at"] else None
    return Taken(at, facts["latitude"], facts["longitude"])
