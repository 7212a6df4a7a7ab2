"""Stores the personal data of reports, encrypted: reporters, contents, and the notes of steps. Also
stores the states of media; the module `media_files` stores their bytes.

A reporter is encrypted with the data key of a person, all else with the data key of the report. A
reporter who gives an IIN (personal identification number) has one key for all of his reports. For a
reporter without an IIN, each report gets a new key of a person. Functions that read data whose key
was destroyed return them as empty.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from audit_log.decisions import EntryOfRecord
from chassis.db import Database
from chassis.tables import data_keys
from chassis.transaction import Scope, Tx
from sqlalchemy import Row, Select, bindparam, func, select, update
from statements.reads import Read
from vault.data_keys import BY_PERSON
from vault.keyring import DataKey

from citizen_reports.model.draft import CheckedDraft, Place, Reporter
from citizen_reports.model.media import Announced, CleanForm, Media, MediaState
from citizen_reports.model.refusals import ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.storage.tables import contents, media, reporters, steps

PERSON = "person"
REPORT = "report"
NOWHERE = Place(0.0, 0.0, "", "")
# Decrypts a data key, given its class, id and encrypted form. None stands for a destroyed key.
Unwrap = Callable[[str, UUID, bytes | None], DataKey | None]
# Statements that calls of apps execute; they are prepared once, since each call costs their time.
_report_key, _person_key = data_keys.alias("report_key"), data_keys.alias("person_key")
_OF_REPORT = contents.c.report_id == bindparam("report_id")
_WITH_KEY = contents.outerjoin(_report_key, _report_key.c.key_id == contents.c.key_id)
_KEY = Read(
    select(contents.c.key_id, _report_key.c.wrapped).select_from(_WITH_KEY).where(_OF_REPORT)
)
_CONTENTS = Read(select(contents, _report_key.c.wrapped).select_from(_WITH_KEY).where(_OF_REPORT))
_WRITTEN = Read(
    select(
        contents,
        _report_key.c.wrapped,
        reporters.c.sealed.label("reporter"),
        reporters.c.key_id.label("person_key_id"),
        _person_key.c.wrapped.label("person_wrapped"),
    )
    .select_from(
        _WITH_KEY.outerjoin(reporters, reporters.c.report_id == contents.c.report_id).outerjoin(
            _person_key, _person_key.c.key_id == reporters.c.key_id
        )
    )
    .where(_OF_REPORT)
)
_MEDIA = Read(
    select(media).where(media.c.report_id == bindparam("report_id")).order_by(media.c.position)
)
_KEY_OF_PERSON = Read(BY_PERSON)


@dataclass(frozen=True)
class Contents:
    text: str = ""
    place: Place = NOWHERE
    officer: str = ""
    question: str = ""
    answer: str = ""
    plate: str = ""


@dataclass(frozen=True)
class Written:
    """The decrypted contents and reporter of a report, and the report's data key. If the key was
    destroyed, `key` is None and `contents` is empty."""

    contents: Contents
    reporter: Reporter
    key: DataKey | None


@dataclass(frozen=True)
class Step:
    at: datetime
    status: Status
    actor: str
    note: str


async def key_of_reporter(db: Database, scope: Scope, reporter: Reporter) -> DataKey | None:
    """Return the data key of a reporter who gave an IIN (personal identification number) and has a
    key from an earlier report; None for all other reporters.

    Raises KeyError if this key was destroyed: nothing more may be stored about the person.
    """
    if not reporter.iin:
        return None
    index = db.keyring.blind_index(PERSON, "person", reporter.iin)
    rows = await db.read(scope, _KEY_OF_PERSON, key_class=PERSON, person=index)
    if not rows:
        return None
    [(key_id, wrapped)] = rows
    if wrapped is None:
        raise KeyError(key_id)
    return db.keyring.unwrap(PERSON, key_id, wrapped)


async def add_contents(
    tx: Tx, report: Report, draft: CheckedDraft, reporter_key: DataKey | None
) -> DataKey:
    """Add the contents of a new report, encrypted with a new data key, and its reporter unless
    anonymous. Return the new data key.

    The reporter is encrypted with `reporter_key` (see `key_of_reporter`), or with a new key if that
    is None. If another transaction has meanwhile added a key for a person with the same IIN, `tx`
    raises RowExists with the key `PERSON_KEY` when it writes its rows.
    """
    report_key = await tx.keys.new(REPORT)
    place = json.dumps(asdict(draft.place))
    sealed = {"text": draft.text, "place": place, "officer": draft.officer}
    row = {name: _seal(report_key, name, report.report_id, text) for name, text in sealed.items()}
    owner = {"report_id": report.report_id, "partner": report.partner}
    tx.add(contents, {**owner, "key_id": report_key.key_id, **row})
    if not draft.reporter.is_anonymous:
        key = reporter_key or await tx.keys.new(PERSON, draft.reporter.iin)
        content = json.dumps(asdict(draft.reporter))
        sealed_reporter = key.seal(content, f"reporters.sealed:{report.report_id}")
        tx.add(reporters, {**owner, "key_id": key.key_id, "sealed": sealed_reporter})
    return report_key


async def contents_of(tx: Tx, report_id: UUID) -> Contents:
    row = _found(await tx.read(_CONTENTS, report_id=report_id))
    return _to_contents(row, tx.keys.unwrapped(REPORT, row.key_id, row.wrapped))


async def written_of(tx: Tx, report_id: UUID) -> Written:
    """Return the decrypted contents and reporter of a report, with the report's key.

    The reporter is empty if the report is anonymous, if the transaction's scope may not see the
    reporter, or if the reporter's key was destroyed. Raises ReportNotFound.
    """
    row = _found(await tx.read(_WRITTEN, report_id=report_id))
    return to_written(row, tx.keys.unwrapped)


def to_written(row: Any, unwrapped: Unwrap) -> Written:
    """Decrypt a row of `contents` that was joined with the reporter and with the data keys of the
    report and of the reporter. `unwrapped` decrypts these keys."""
    key = unwrapped(REPORT, row.key_id, row.wrapped)
    person_key = unwrapped(PERSON, row.person_key_id, row.person_wrapped)
    return Written(_to_contents(row, key), _to_reporter(row, person_key), key)


async def officer_of(tx: Tx, report_id: UUID) -> str:
    """Return the reporter's description of the officer in a complaint, decrypted; "" if the
    report's key was destroyed. Raises ReportNotFound."""
    row = _found(await tx.read(_CONTENTS, report_id=report_id))
    key = tx.keys.unwrapped(REPORT, row.key_id, row.wrapped)
    return _open(key, "officer", report_id, row.officer) if key else ""


async def set_content(tx: Tx, report_id: UUID, **values: str) -> None:
    """Encrypt and store `question`, `plate` or both in the contents of a report. The value ""
    deletes the field. Raises KeyError if the report's key was destroyed."""
    key = await report_key(tx, report_id)
    await _update(
        tx,
        report_id,
        {
            name: _seal(key, name, report_id, value) if value else None
            for name, value in values.items()
        },
    )


async def seal_answer(tx: Tx, report_id: UUID, answer: str) -> dict[str, Any]:
    """Encrypt an answer. Return the fields that the hash in its audit entry covers: `report_id` and
    the encrypted `answer`. Raises KeyError if the report's key was destroyed."""
    key = await report_key(tx, report_id)
    return {"report_id": report_id, "answer": _seal(key, "answer", report_id, answer)}


async def save_answer(tx: Tx, answer: dict[str, Any], entry: EntryOfRecord) -> None:
    """Store an answer as `seal_answer` returned it, with the audit entry of the decision to answer,
    and delete the last question to the reporter."""
    values = {"answer": answer["answer"], "question": None, **entry.columns}
    await _update(tx, answer["report_id"], values)


async def _update(tx: Tx, report_id: UUID, values: dict[str, Any]) -> None:
    await tx.execute(update(contents).where(contents.c.report_id == report_id).values(values))


def add_step(
    tx: Tx, report: Report, *, actor: str, at: datetime, note: str = "", key: DataKey | None = None
) -> None:
    """Add a step by `actor` to the history of a report, with the report's present status.

    A note is encrypted with the report's data `key`. Raises KeyError for a note if `key` is None.
    """
    sealed = None
    if note:
        key = _required(key, report.report_id)
        sealed = key.seal(note, f"steps.note:{report.report_id}")
    owner = {"report_id": report.report_id, "partner": report.partner}
    step = {"at": at, "status": report.status.value, "actor": actor, "note": sealed}
    tx.add(steps, {**owner, **step})


async def steps_of(tx: Tx, report_id: UUID, key: DataKey | None) -> list[Step]:
    """Return the steps of a report in order. If `key`, its data key, is None, the notes are ""."""
    query = select(steps).where(steps.c.report_id == report_id).order_by(steps.c.position)
    rows = (await tx.execute(query)).all()

    def note(sealed: bytes | None) -> str:
        if not sealed or key is None:
            return ""
        return key.open_text(sealed, f"steps.note:{report_id}")

    return [Step(row.at, Status(row.status), row.actor, note(row.note)) for row in rows]


async def report_key(tx: Tx, report_id: UUID) -> DataKey:
    """Return a report's data key. Raises KeyError if the key was destroyed, or ReportNotFound."""
    row = _found(await tx.read(_KEY, report_id=report_id))
    return _required(tx.keys.unwrapped(REPORT, row.key_id, row.wrapped), row.key_id)


async def find_report_key(tx: Tx, report_id: UUID) -> DataKey | None:
    """Return a report's data key; None if the key was destroyed. Raises ReportNotFound."""
    row = _found(await tx.read(_KEY, report_id=report_id))
    return tx.keys.unwrapped(REPORT, row.key_id, row.wrapped)


async def media_of(tx: Tx, report_id: UUID) -> list[Media]:
    """Return all media of a report, refused ones included, in the order in which uploads began."""
    return [to_media(row) for row in await tx.read(_MEDIA, report_id=report_id)]


async def stored_counts(tx: Tx, report_ids: list[UUID]) -> dict[UUID, int]:
    """Return how many photographs and films each of these reports has in the evidence store, by the
    report's id. Reports that have none are omitted."""
    query = (
        select(media.c.report_id, func.count().label("stored"))
        .where(
            media.c.report_id.in_(report_ids),
            media.c.state == MediaState.STORED.value,
            media.c.content_type.not_like("audio/%"),
        )
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


def place_in(row: Any, key: DataKey) -> Place:
    """Return the place in a row of `contents`, decrypted with the report's key."""
    return Place(**json.loads(_open(key, "place", row.report_id, row.place)))


def text_in(row: Any, key: DataKey) -> str:
    """Return the text in a row of `contents`, decrypted with the report's key."""
    return _open(key, "text", row.report_id, row.text)


def question_and_answer(report_id: UUID, row: Any, key: DataKey | None) -> tuple[str, str]:
    """Return the decrypted question and answer in a row of `contents`. Each is "" if it is absent;
    both are "" if `key` is None."""
    question, answer = (
        _open(key, name, report_id, sealed) if key and sealed else ""
        for name, sealed in (("question", row.question), ("answer", row.answer))
    )
    return question, answer


def _to_contents(row: Any, key: DataKey | None) -> Contents:
    if key is None:
        return Contents()

    def opened(name: str) -> str:
        sealed = getattr(row, name)
        return _open(key, name, row.report_id, sealed) if sealed else ""

    return Contents(
        text=opened("text"),
        place=place_in(row, key),
        officer=opened("officer"),
        question=opened("question"),
        answer=opened("answer"),
        plate=opened("plate"),
    )


def _to_reporter(row: Any, key: DataKey | None) -> Reporter:
    if key is None:
        return Reporter()
    return Reporter(**json.loads(key.open_text(row.reporter, f"reporters.sealed:{row.report_id}")))


def _found(rows: Sequence[Any]) -> Any:
    """The first row. Raises ReportNotFound without rows: the report is missing or hidden."""
    if not rows:
        raise ReportNotFound
    return rows[0]


def _required(key: DataKey | None, key_id: UUID) -> DataKey:
    if key is None:
        raise KeyError(key_id)
    return key


def _seal(key: DataKey, name: str, report_id: UUID, value: str) -> bytes:
    return key.seal(value, f"contents.{name}:{report_id}")


def _open(key: DataKey, name: str, report_id: UUID, sealed: bytes) -> str:
    return key.open_text(sealed, f"contents.{name}:{report_id}")


def _media_with_id(report_id: UUID, media_id: UUID) -> Select[Any]:
    return select(media).where(media.c.report_id == report_id, media.c.media_id == media_id)


def _found_media(row: Row[Any] | None) -> Media | None:
    return to_media(row) if row else None


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
        "refused_reason": item.refused_reason,
        "clean_sha256": item.clean.sha256 if item.clean else "",
        "clean_bytes": item.clean.size_bytes if item.clean else 0,
        "clean_type": item.clean.content_type if item.clean else "",
        "first_frame_sha256": item.first_frame_sha256,
    }


def to_media(row: Any) -> Media:
    """Return the state of a file, given its row of the table `media`."""
    clean = CleanForm(row.clean_sha256, row.clean_bytes, row.clean_type)
    return Media(
        report_id=row.report_id,
        media_id=row.media_id,
        announced=Announced(row.total_bytes, row.sha256, row.content_type),
        received_bytes=row.received_bytes,
        state=MediaState(row.state),
        evidence_sha256=row.evidence_sha256,
        shown_sha256=row.shown_sha256,
        refused_reason=row.refused_reason,
        clean=clean if row.clean_sha256 else None,
        first_frame_sha256=row.first_frame_sha256,
    )
