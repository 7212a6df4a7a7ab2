"""The text index, by which reports are found and compared: the table `report_stems` has a row for
each stem of a report's text, with a hash under a key of the report's secrecy class.

A report has one more row, the marker, with a hash of the index's version: reports without a marker
are not indexed yet. The rows of a report are deleted when it is raised to a class whose texts are
not indexed, and when its text is erased. Row-level security shows operators the rows of their
regions, and inspectors only rows of the class OPEN.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.tables import data_keys
from chassis.transaction import SYSTEM, Tx
from law.regions import REGIONS
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    LargeBinary,
    Uuid,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from statements.reads import Read
from vault.data_keys import DataKeys
from vault.keyring import Keyring

from citizen_reports.model.likeness import SEARCHED, SEARCHED_CATEGORIES, searched_class
from citizen_reports.model.report import Report
from citizen_reports.model.retention import Part
from citizen_reports.model.routing import SecrecyClass
from citizen_reports.model.statuses import Status
from citizen_reports.storage.contents import REPORT, text_in
from citizen_reports.storage.report_rows import to_report
from citizen_reports.storage.tables import contents, report_erasures, report_stems, reports

# The version of how stems are found and hashed. If it changes, all reports are indexed anew.
VERSION = 1
# A report's place in the order of registration: the time of registration, then its id.
Registered = tuple[datetime, UUID]
_CATEGORIES = [category.value for category in SEARCHED_CATEGORIES]
_IS_SHARED = report_stems.c.stem == func.any(bindparam("stems", type_=ARRAY(LargeBinary)))
_SHARED = Read(
    select(
        report_stems.c.report_id,
        func.count().label("stems"),
        func.count().filter(_IS_SHARED).label("shared"),
    )
    .where(report_stems.c.report_id == func.any(bindparam("others", type_=ARRAY(Uuid))))
    .group_by(report_stems.c.report_id)
)


@dataclass(frozen=True)
class Unindexed:
    """A report that is to be indexed, with its decrypted text."""

    report: Report
    text: str


def hashed(
    keys: Keyring | DataKeys, report_class: SecrecyClass, stems: Iterable[str]
) -> list[bytes]:
    """Return the hash (16 bytes) of each stem under the key of a secrecy class, in this order."""
    return [keys.blind_index(_key_class(report_class), "stem", stem) for stem in stems]


async def page_to_index(tx: Tx, after: UUID | None, size: int) -> tuple[list[UUID], UUID | None]:
    """Read the next `size` reports in order of id, after the id `after` (None: from the first).
    Return the ids of the reports to index, and the last id read, or None if no reports are left."""
    query = select(reports.c.report_id, _is_to_index(tx).label("is_to_index"))
    if after is not None:
        query = query.where(reports.c.report_id > after)
    rows = (await tx.execute(query.order_by(reports.c.report_id).limit(size))).all()
    last = rows[-1].report_id if len(rows) == size else None
    return [row.report_id for row in rows if row.is_to_index], last


async def new_to_index(
    tx: Tx, after: Registered, size: int
) -> tuple[list[UUID], Registered | None]:
    """Read the next `size` reports to index in order of registration, after this one. Return their
    ids, and the last report read, or None if none are left."""
    registered = (reports.c.registered_at, reports.c.report_id)
    query = select(*registered).where(
        reports.c.region.in_(sorted(REGIONS)),
        reports.c.registered_at >= after[0],  # for the index, which has no ids
        tuple_(*registered) > after,
        _is_to_index(tx),
    )
    rows = (await tx.execute(query.order_by(*registered).limit(size))).all()
    last = (rows[-1].registered_at, rows[-1].report_id) if len(rows) == size else None
    return [row.report_id for row in rows], last


async def texts_to_index(tx: Tx, report_ids: Collection[UUID]) -> list[Unindexed]:
    """Return those of these reports that are to be indexed, with their decrypted texts. Reports
    whose key was destroyed are omitted."""
    query = (
        select(reports, contents.c.key_id, contents.c.text, data_keys.c.wrapped)
        .join(contents, contents.c.report_id == reports.c.report_id)
        .join(data_keys, data_keys.c.key_id == contents.c.key_id)
        .where(reports.c.report_id.in_(report_ids), _is_to_index(tx))
    )
    found = []
    for row in await tx.execute(query):
        key = tx.keys.unwrapped(REPORT, row.key_id, row.wrapped)
        if key is not None:
            found.append(Unindexed(to_report(row), text_in(row, key)))
    return found


async def lock_to_index(tx: Tx, report_ids: Collection[UUID]) -> list[Report]:
    """Lock the rows of those of these reports that are still to be indexed, in the order of their
    ids. Return the locked reports as they are now."""
    query = select(reports).where(reports.c.report_id.in_(report_ids), _is_to_index(tx))
    rows = await tx.execute(query.order_by(reports.c.report_id).with_for_update())
    return [to_report(row) for row in rows]


def add_stems(tx: Tx, report: Report, stems: Iterable[str]) -> None:
    """Index a registered report: add rows for the stems of its text, and its marker. The report
    must be locked by the transaction, and of a secrecy class whose texts are indexed."""
    report_class = searched_class(report.category)
    assert report_class is not None and report.receipt is not None
    hashes = [_marker(tx.keys, report_class), *hashed(tx.keys, report_class, stems)]
    for stem in hashes:
        row = {
            "report_id": report.report_id,
            "stem": stem,
            "class": report_class.value,
            "region": report.region,
            "registered_at": report.receipt.registered_at,
        }
        tx.add(report_stems, row, or_ignored=True)


async def remove_stems(tx: Tx, report_id: UUID) -> None:
    """Delete all rows of a report from the text index."""
    await tx.execute(delete(report_stems).where(report_stems.c.report_id == report_id))


async def follow(tx: Tx, before: Report, after: Report) -> None:
    """Update the text index after a decision changed a report: delete its rows if texts of its new
    category are not indexed, or store its new region in them."""
    if searched_class(before.category) is None:
        return
    if searched_class(after.category) is None:
        await remove_stems(tx, after.report_id)
    elif after.region != before.region:
        await tx.execute(
            update(report_stems)
            .where(report_stems.c.report_id == after.report_id)
            .values(region=after.region)
        )


async def stems_with(tx: Tx, report: Report) -> list[bytes]:
    """Return the hashed stems of a report's text; [] if the report is not indexed, or if the
    transaction's scope may not see its rows."""
    report_class = searched_class(report.category)
    if report_class is None:
        return []
    query = select(report_stems.c.stem).where(
        report_stems.c.report_id == report.report_id,
        report_stems.c.stem != _marker(tx.keys, report_class),
    )
    return list((await tx.execute(query)).scalars())


async def shared_with(
    tx: Tx, stems: Collection[bytes], others: Collection[UUID]
) -> dict[UUID, tuple[int, int]]:
    """Return for each indexed report of `others`, by id, the number of its stems and how many of
    them are among `stems` (hashes). Omits reports whose rows the scope may not see."""
    return _counts(await tx.read(_SHARED, stems=list(stems), others=list(others)))


async def shared_with_any(
    db: Database, stems: Collection[bytes], others: Collection[UUID]
) -> dict[UUID, tuple[int, int]]:
    """Return what `shared_with` returns, read under the scope SYSTEM, which may see all rows."""
    return _counts(await db.read(SYSTEM, _SHARED, stems=list(stems), others=list(others)))


def _counts(rows: Iterable[Any]) -> dict[UUID, tuple[int, int]]:
    # One row of each report is its marker.
    return {row.report_id: (row.stems - 1, row.shared) for row in rows}


def _is_to_index(tx: Tx) -> ColumnElement[bool]:
    """An SQL condition: a report is registered, of a category whose texts are indexed, not indexed
    yet, and its text was not erased.

    Index and erasures are looked up row by row: without OFFSET, PostgreSQL may read them whole.
    """
    markers = [_marker(tx.keys, report_class) for report_class in SEARCHED]
    indexed = select(literal(1)).where(
        report_stems.c.report_id == reports.c.report_id, report_stems.c.stem.in_(markers)
    )
    erased = select(literal(1)).where(
        report_erasures.c.report_id == reports.c.report_id,
        report_erasures.c.part == Part.TEXT.value,
    )
    is_indexed, is_erased = (
        each.correlate(reports).offset(0).exists() for each in (indexed, erased)
    )
    return and_(
        reports.c.status != Status.OPEN.value,
        reports.c.category.in_(_CATEGORIES),
        ~is_indexed,
        ~is_erased,
    )


def _marker(keys: Keyring | DataKeys, report_class: SecrecyClass) -> bytes:
    return keys.blind_index(_key_class(report_class), "version", str(VERSION))


def _key_class(report_class: SecrecyClass) -> str:
    return f"stems-{report_class.value}"
