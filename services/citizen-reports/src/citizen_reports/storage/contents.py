"""What is personal about a report, sealed: who reported, what was written, the notes of its steps.

Who reported is sealed with the person's key (an anonymous reporter gets one of his own), everything
else with the report's. Where a key was destroyed, what it sealed reads as empty.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from vault.keyring import DataKey

from citizen_reports.model.draft import CheckedDraft, Place, Reporter
from citizen_reports.model.report import Report, Status
from citizen_reports.storage.tables import contents, reporters, steps

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


async def add_contents(tx: Tx, report: Report, draft: CheckedDraft) -> None:
    key = await tx.keys.new(REPORT)
    place = json.dumps(asdict(draft.place))
    sealed = {"text": draft.text, "place": place, "officer": draft.officer}
    await tx.execute(
        insert(contents).values(
            report_id=report.report_id,
            key_id=key.key_id,
            **{name: _seal(key, name, report.report_id, value) for name, value in sealed.items()},
        )
    )
    if not draft.reporter.is_anonymous:
        await _add_reporter(tx, report, draft.reporter)


async def _add_reporter(tx: Tx, report: Report, reporter: Reporter) -> None:
    if reporter.iin:
        key = await tx.keys.of_person(PERSON, reporter.iin)
    else:
        key = await tx.keys.new(PERSON)
    sealed = key.seal(json.dumps(asdict(reporter)), f"reporters.sealed:{report.report_id}")
    await tx.execute(
        insert(reporters).values(
            report_id=report.report_id, partner=report.partner, key_id=key.key_id, sealed=sealed
        )
    )


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
    """What a complaint says of the officer; "" where its key was destroyed."""
    row = (
        await tx.execute(
            select(contents.c.key_id, contents.c.officer).where(contents.c.report_id == report_id)
        )
    ).one()
    key = await _key(tx, REPORT, row.key_id)
    return _open(key, "officer", report_id, row.officer) if key else ""


async def set_content(tx: Tx, report_id: UUID, **values: str) -> None:
    """`question`, `answer` or `plate`; an empty one is taken away."""
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
    """Empty where nobody is named, or the scope may not know."""
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
    await tx.execute(
        insert(steps).values(
            report_id=report.report_id, at=at, status=report.status.value, actor=actor, note=sealed
        )
    )


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
    """The key of what was written and sent. Raises KeyError when it was destroyed."""
    key_id = await tx.scalar(select(contents.c.key_id).where(contents.c.report_id == report_id))
    return await tx.keys.get(REPORT, key_id)


async def _key(tx: Tx, key_class: str, key_id: UUID) -> DataKey | None:
    try:
        return await tx.keys.get(key_class, key_id)
    except KeyError:  # erased
        return None


def _seal(key: DataKey, name: str, report_id: UUID, value: str) -> bytes:
    return key.seal(value, f"contents.{name}:{report_id}")


def _open(key: DataKey, name: str, report_id: UUID, sealed: bytes) -> str:
    return key.open_text(sealed, f"contents.{name}:{report_id}")
