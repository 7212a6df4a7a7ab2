"""The index by which reports are found by their text: a row for each stem of a text, with a hash
under a key of the report's class.

A further row of each report has the hash of the index's version: it tells which reports are
indexed, also those without words. Rows go when the report is raised to a class whose texts are not
found, and when its text is erased. Row-level security shows operators the rows of their regions,
inspectors those of the class OPEN.
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

# Of the stems and of how they are hashed. With another one, all reports are indexed anew.
VERSION = 1
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
    """A report whose text is not indexed yet."""

    report: Report
    text: str


def hashed(
    keys: Keyring | DataKeys, report_class: SecrecyClass, stems: Iterable[str]
) -> list[bytes]:
    """Return the hashes of stems (16 bytes each) under the key of a class."""
    return [keys.blind_index(_key_class(report_class), "stem", stem) for stem in stems]


async def page_to_index(tx: Tx, after: UUID | None, size: int) -> tuple[list[UUID], UUID | None]:
    """Look at the next `size` reports in the order of id, beginning after the id `after`. Return
    the ids of those that are to be indexed, and the last id; None for that at the end."""
    query = select(reports.c.report_id, _is_to_index(tx).label("is_to_index"))
    if after is not None:
        query = query.where(reports.c.report_id > after)
    rows = (await tx.execute(query.order_by(reports.c.report_id).limit(size))).all()
    last = rows[-1].report_id if len(rows) == size else None
    return [row.report_id for row in rows if row.is_to_index], last


async def new_to_index(tx: Tx, since: datetime, size: int) -> list[UUID]:
    """Return the ids of at most `size` reports that were registered since a moment and are to be
    indexed, the earliest first."""
    query = select(reports.c.report_id).where(
        reports.c.region.in_(sorted(REGIONS)),
        reports.c.registered_at >= since,
        _is_to_index(tx),
    )
    rows = await tx.execute(query.order_by(reports.c.registered_at).limit(size))
    return list(rows.scalars())


async def texts_to_index(tx: Tx, report_ids: Collection[UUID]) -> list[Unindexed]:
    """Return those of the reports that are to be indexed, with their decrypted texts."""
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
    """Lock those of the reports that are still to be indexed, in the order of their ids; return
    them as they are now."""
    query = select(reports).where(reports.c.report_id.in_(report_ids), _is_to_index(tx))
    rows = await tx.execute(query.order_by(reports.c.report_id).with_for_update())
    return [to_report(row) for row in rows]


def add_stems(tx: Tx, report: Report, stems: Iterable[str]) -> None:
    """Add the rows of a registered report, which the transaction has locked. The report must be of
    a class whose texts are found."""
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
    """Delete all rows of a report."""
    await tx.execute(delete(report_stems).where(report_stems.c.report_id == report_id))


async def follow(tx: Tx, before: Report, after: Report) -> None:
    """Update the rows of a report after a decision: delete them if its text may not be found any
    more, and give them its new region if it was moved."""
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
    """Return the hashed stems of a report; none if it is not indexed, or the transaction's scope
    may not see them."""
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
    """Return, of each of the other reports that is indexed, how many stems it has, and how many of
    these are among `stems`. Rows that the transaction's scope may not see do not count."""
    return _counts(await tx.read(_SHARED, stems=list(stems), others=list(others)))


async def shared_with_any(
    db: Database, stems: Collection[bytes], others: Collection[UUID]
) -> dict[UUID, tuple[int, int]]:
    """Return what `shared_with` returns, under the scope SYSTEM and in a single round trip."""
    return _counts(await db.read(SYSTEM, _SHARED, stems=list(stems), others=list(others)))


def _counts(rows: Iterable[Any]) -> dict[UUID, tuple[int, int]]:
    # One row of each is that of the version.
    return {row.report_id: (row.stems - 1, row.shared) for row in rows}


def _is_to_index(tx: Tx) -> ColumnElement[bool]:
    """Whether a report is to be indexed: it is registered, of a class whose texts are found, its
    text was not erased, and it is not indexed yet.

    Both are looked up row by row: without OFFSET, PostgreSQL may read the whole tables first.
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
