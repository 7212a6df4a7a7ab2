"""Media and their pieces, sealed with the report's key until the whole lies in evidence."""

from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import Row, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from citizen_reports.model.media import Announced, Media, MediaState
from citizen_reports.storage.contents import report_key
from citizen_reports.storage.tables import media, media_chunks


async def media_of(tx: Tx, report_id: UUID) -> list[Media]:
    """In the order they began to arrive."""
    query = select(media).where(media.c.report_id == report_id).order_by(media.c.position)
    return [_to_media(row) for row in await tx.execute(query)]


async def stored_counts(tx: Tx, report_ids: list[UUID]) -> dict[UUID, int]:
    """Pictures and films of each report in the evidence store; reports without one are left out."""
    query = (
        select(media.c.report_id, func.count().label("stored"))
        .where(media.c.report_id.in_(report_ids), media.c.state == MediaState.STORED.value)
        .group_by(media.c.report_id)
    )
    return {row.report_id: row.stored for row in await tx.execute(query)}


async def find(tx: Tx, report_id: UUID, media_id: UUID) -> Media | None:
    return _found((await tx.execute(_with_id(report_id, media_id))).one_or_none())


async def find_for_update(tx: Tx, report_id: UUID, media_id: UUID) -> Media | None:
    query = _with_id(report_id, media_id).with_for_update()
    return _found((await tx.execute(query)).one_or_none())


def _with_id(report_id: UUID, media_id: UUID) -> Select[Any]:
    return select(media).where(media.c.report_id == report_id, media.c.media_id == media_id)


def _found(row: Row[Any] | None) -> Media | None:
    return _to_media(row) if row else None


async def add_media(tx: Tx, item: Media) -> None:
    await tx.execute(insert(media).values(**_to_row(item)))


async def save_media(tx: Tx, item: Media) -> None:
    await tx.execute(
        update(media)
        .where(media.c.report_id == item.report_id, media.c.media_id == item.media_id)
        .values(**_to_row(item))
    )


async def add_chunk(tx: Tx, item: Media, start: int, content: bytes) -> None:
    key = await report_key(tx, item.report_id)
    await tx.execute(
        insert(media_chunks).values(
            report_id=item.report_id,
            media_id=item.media_id,
            start=start,
            sealed=key.seal(content, _place(item, start)),
        )
    )


async def chunks_of(tx: Tx, item: Media) -> list[bytes]:
    """The opened pieces, in order."""
    key = await report_key(tx, item.report_id)
    rows = await tx.execute(
        select(media_chunks.c.start, media_chunks.c.sealed)
        .where(media_chunks.c.report_id == item.report_id, media_chunks.c.media_id == item.media_id)
        .order_by(media_chunks.c.start)
    )
    return [key.open(row.sealed, _place(item, row.start)) for row in rows]


async def drop_chunks(tx: Tx, item: Media) -> None:
    await tx.execute(
        delete(media_chunks).where(
            media_chunks.c.report_id == item.report_id, media_chunks.c.media_id == item.media_id
        )
    )


def _place(item: Media, start: int) -> str:
    return f"media_chunks.sealed:{item.report_id}/{item.media_id}/{start}"


def _to_row(item: Media) -> dict[str, Any]:
    return {
        "report_id": item.report_id,
        "media_id": item.media_id,
        "total_bytes": item.announced.total_bytes,
        "sha256": item.announced.sha256,
        "content_type": item.announced.content_type,
        "received_bytes": item.received_bytes,
        "state": item.state.value,
        "evidence_sha256": item.evidence_sha256,
        "shown_sha256": item.shown_sha256,
    }


def _to_media(row: Row[Any]) -> Media:
    return Media(
        report_id=row.report_id,
        media_id=row.media_id,
        announced=Announced(row.total_bytes, row.sha256, row.content_type),
        received_bytes=row.received_bytes,
        state=MediaState(row.state),
        evidence_sha256=row.evidence_sha256,
        shown_sha256=row.shown_sha256,
    )
