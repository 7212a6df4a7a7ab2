"""Encrypted storage of a report's personal data: reporter, contents, media and notes of steps.

The reporter is encrypted with the person's key (a new key if no IIN is given), everything else with
the report's key. Data whose key was destroyed read as empty. Media are stored here in pieces until
the whole file is in the evidence store.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import Row, Select, delete, func, select, update
from vault.keyring import DataKey

from citizen_reports.model.draft import CheckedDraft, Place, Reporter
from citizen_reports.model.media import Announced, Media, MediaState
from citizen_reports.model.report import Report, Status
from citizen_reports.storage.tables import contents, media, media_chunks, reporters, steps

PERSON = "person"
REPORT = "report"
NOWHERE = Place(0.0, 0.0, "", "")


@dataclass(frozen=True)
class Contents:
    text: str = ""
    place: Place = NOWHERE
    officer: str = ""
    question: str = ""
    answer: str = ""
    plate: str = ""


@dataclass(frozen=True)
class Step:
    at: datetime
    status: Status
    actor: str
    note: str


async def key_of_reporter(tx: Tx, reporter: Reporter) -> DataKey | None:
    """The stored key of a reporter who gave an IIN, created if missing; None without an IIN."""
    return await tx.keys.of_person(PERSON, reporter.iin) if reporter.iin else None


async def add_contents(
    tx: Tx, report: Report, draft: CheckedDraft, reporter_key: DataKey | None
) -> None:
    """Add what the report says, encrypted with a new key, and the reporter unless anonymous.

    The reporter is encrypted with `reporter_key`, or with a new key if that is None.
    """
    key = await tx.keys.new(REPORT)
    place = json.dumps(asdict(draft.place))
    sealed = {"text": draft.text, "place": place, "officer": draft.officer}
    row = {name: _seal(key, name, report.report_id, value) for name, value in sealed.items()}
    owner = {"report_id": report.report_id, "partner": report.partner}
    tx.add(contents, {**owner, "key_id": key.key_id, **row})
    if not draft.reporter.is_anonymous:
        key = reporter_key or await tx.keys.new(PERSON)
        content = json.dumps(asdict(draft.reporter))
        sealed_reporter = key.seal(content, f"reporters.sealed:{report.report_id}")
        tx.add(reporters, {**owner, "key_id": key.key_id, "sealed": sealed_reporter})


async def contents_of(tx: Tx, report_id: UUID) -> Contents:
    row = (await tx.execute(select(contents).where(contents.c.report_id == report_id))).one()
    key = await _key(tx, REPORT, row.key_id)
    if key is None:
        return Contents()

    def opened(name: str) -> str:
        sealed = getattr(row, name)
        return _open(key, name, report_id, sealed) if sealed else ""

    return Contents(
        text=opened("text"),
        place=Place(**json.loads(opened("place"))),
        officer=opened("officer"),
        question=opened("question"),
        answer=opened("answer"),
        plate=opened("plate"),
    )


async def officer_of(tx: Tx, report_id: UUID) -> str:
    """The officer as described in the complaint; "" if the report's key was destroyed."""
    row = (
        await tx.execute(
            select(contents.c.key_id, contents.c.officer).where(contents.c.report_id == report_id)
        )
    ).one()
    key = await _key(tx, REPORT, row.key_id)
    return _open(key, "officer", report_id, row.officer) if key else ""


async def set_content(tx: Tx, report_id: UUID, **values: str) -> None:
    """Store `question`, `answer` or `plate`; an empty value deletes the stored value."""
    key = await report_key(tx, report_id)
    await tx.execute(
        update(contents)
        .where(contents.c.report_id == report_id)
        .values(
            {
                name: _seal(key, name, report_id, value) if value else None
                for name, value in values.items()
            }
        )
    )


async def reporter_of(tx: Tx, report_id: UUID) -> Reporter:
    """Return the reporter; empty for an anonymous report, and where the scope may not read the
    reporter or the key was destroyed."""
    row = (
        await tx.execute(select(reporters).where(reporters.c.report_id == report_id))
    ).one_or_none()
    key = await _key(tx, PERSON, row.key_id) if row else None
    if row is None or key is None:
        return Reporter()
    return Reporter(**json.loads(key.open_text(row.sealed, f"reporters.sealed:{report_id}")))


async def add_step(tx: Tx, report: Report, *, actor: str, note: str, at: datetime) -> None:
    sealed = None
    if note:
        key = await report_key(tx, report.report_id)
        sealed = key.seal(note, f"steps.note:{report.report_id}")
    step = {"at": at, "status": report.status.value, "actor": actor, "note": sealed}
    tx.add(steps, {"report_id": report.report_id, **step})


async def steps_of(tx: Tx, report_id: UUID) -> list[Step]:
    query = select(steps).where(steps.c.report_id == report_id).order_by(steps.c.position)
    rows = (await tx.execute(query)).all()
    key_id = await tx.scalar(select(contents.c.key_id).where(contents.c.report_id == report_id))
    key = await _key(tx, REPORT, key_id)

    def note(sealed: bytes | None) -> str:
        if not sealed or key is None:
            return ""
        return key.open_text(sealed, f"steps.note:{report_id}")

    return [Step(row.at, Status(row.status), row.actor, note(row.note)) for row in rows]


async def report_key(tx: Tx, report_id: UUID) -> DataKey:
    """The report's data key. Raises KeyError where it was destroyed."""
    key_id = await tx.scalar(select(contents.c.key_id).where(contents.c.report_id == report_id))
    return await tx.keys.get(REPORT, key_id)


async def media_of(tx: Tx, report_id: UUID) -> list[Media]:
    """Return the report's media in the order in which their uploads began."""
    query = select(media).where(media.c.report_id == report_id).order_by(media.c.position)
    return [_to_media(row) for row in await tx.execute(query)]


async def stored_counts(tx: Tx, report_ids: list[UUID]) -> dict[UUID, int]:
    """Return each report's number of files in the evidence store. Reports without such files are
    omitted."""
    query = (
        select(media.c.report_id, func.count().label("stored"))
        .where(media.c.report_id.in_(report_ids), media.c.state == MediaState.STORED.value)
        .group_by(media.c.report_id)
    )
    return {row.report_id: row.stored for row in await tx.execute(query)}


async def find_media(tx: Tx, report_id: UUID, media_id: UUID) -> Media | None:
    return _found_media((await tx.execute(_media_with_id(report_id, media_id))).one_or_none())


async def find_media_for_update(tx: Tx, report_id: UUID, media_id: UUID) -> Media | None:
    query = _media_with_id(report_id, media_id).with_for_update()
    return _found_media((await tx.execute(query)).one_or_none())


def add_media(tx: Tx, item: Media) -> None:
    tx.add(media, _media_to_row(item))


async def save_media(tx: Tx, item: Media) -> None:
    await tx.execute(
        update(media)
        .where(media.c.report_id == item.report_id, media.c.media_id == item.media_id)
        .values(**_media_to_row(item))
    )


async def add_chunk(tx: Tx, item: Media, start: int, content: bytes) -> None:
    key = await report_key(tx, item.report_id)
    sealed = key.seal(content, _chunk_place(item, start))
    ids = {"report_id": item.report_id, "media_id": item.media_id}
    tx.add(media_chunks, {**ids, "start": start, "sealed": sealed})


async def chunks_of(tx: Tx, item: Media) -> list[bytes]:
    """Return the file's decrypted pieces, in order."""
    key = await report_key(tx, item.report_id)
    rows = await tx.execute(
        select(media_chunks.c.start, media_chunks.c.sealed)
        .where(media_chunks.c.report_id == item.report_id, media_chunks.c.media_id == item.media_id)
        .order_by(media_chunks.c.start)
    )
    return [key.open(row.sealed, _chunk_place(item, row.start)) for row in rows]


async def drop_chunks(tx: Tx, item: Media) -> None:
    await tx.execute(
        delete(media_chunks).where(
            media_chunks.c.report_id == item.report_id, media_chunks.c.media_id == item.media_id
        )
    )


async def _key(tx: Tx, key_class: str, key_id: UUID) -> DataKey | None:
    try:
        return await tx.keys.get(key_class, key_id)
    except KeyError:  # erased
        return None


def _seal(key: DataKey, name: str, report_id: UUID, value: str) -> bytes:
    return key.seal(value, f"contents.{name}:{report_id}")


def _open(key: DataKey, name: str, report_id: UUID, sealed: bytes) -> str:
    return key.open_text(sealed, f"contents.{name}:{report_id}")


def _media_with_id(report_id: UUID, media_id: UUID) -> Select[Any]:
    return select(media).where(media.c.report_id == report_id, media.c.media_id == media_id)


def _found_media(row: Row[Any] | None) -> Media | None:
    return _to_media(row) if row else None


def _chunk_place(item: Media, start: int) -> str:
    return f"media_chunks.sealed:{item.report_id}/{item.media_id}/{start}"


def _media_to_row(item: Media) -> dict[str, Any]:
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
