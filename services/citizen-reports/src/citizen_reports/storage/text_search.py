"""Finds reports by the words of their texts, newest first.

A report is found if its text has a stem of each word. The search reads the reports with the rarest
word, in each region the newest first, and looks up whether they have the other words. So it reads
few more rows than it returns. An inverted index (GIN) is no alternative: under row-level security,
PostgreSQL uses an index only for operators that are leakproof, which those of GIN are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chassis.pages import PageSpec
from chassis.transaction import Tx
from law.regions import REGIONS
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    LargeBinary,
    Text,
    func,
    literal,
    select,
    true,
    tuple_,
)

from citizen_reports.model.likeness import SEARCHED, SEARCHED_CATEGORIES
from citizen_reports.model.report import Report
from citizen_reports.model.stems import Alternatives
from citizen_reports.storage.report_rows import to_report
from citizen_reports.storage.reports import moment_and_id
from citizen_reports.storage.tables import report_stems, reports
from citizen_reports.storage.text_index import hashed

# To find the rarest word, at most so many rows with a word are counted, in a region and in total.
COUNTED_OF_REGION, COUNTED_MAX = 500, 5000
_OTHER = report_stems.alias("other")


@dataclass(frozen=True)
class FoundReports:
    """A page of found reports. `keys` are the positions of its rows, for a page token. It has a key
    also for a row whose report is hidden or was raised since, and so is missing in `reports`."""

    reports: list[Report]
    keys: list[tuple[str, ...]]


async def found_by_words(
    tx: Tx, words: Sequence[Alternatives], region: str, spec: PageSpec
) -> FoundReports:
    """Return a page of the reports whose texts have all of these words, of a region, or with "" of
    all regions that the transaction's scope may see. The newest registration is first.

    `words` must not be empty. Raises PageTokenWrong for an altered token.
    """
    regions = [each for each in sorted(REGIONS) if tx.scope.sees(each) and region in ("", each)]
    stems = [_hashes_of(tx, word) for word in words]
    rarest = await _rarest(tx, regions, stems) if len(stems) > 1 else 0
    others = [each for index, each in enumerate(stems) if index != rarest]
    newest = _newest(_pairs(regions, stems[rarest]), others, spec)
    rows = (await tx.execute(newest)).all()
    listed = select(reports).where(
        reports.c.report_id.in_([row.report_id for row in rows]),
        reports.c.category.in_([category.value for category in SEARCHED_CATEGORIES]),
    )
    by_id = {row.report_id: to_report(row) for row in await tx.execute(listed)}
    return FoundReports(
        [by_id[row.report_id] for row in rows if row.report_id in by_id],
        [(row.registered_at.isoformat(), str(row.report_id)) for row in rows],
    )


def _hashes_of(tx: Tx, word: Alternatives) -> list[bytes]:
    """The hashes by which a text has a word: of all of its stems, under the key of each class."""
    return [stem for each in SEARCHED for stem in hashed(tx.keys, each, sorted(word))]


async def _rarest(tx: Tx, regions: list[str], words: Sequence[list[bytes]]) -> int:
    """The index of the word that is rarest in these regions, by counts up to COUNTED_MAX."""
    counts = []
    for stems in words:
        branch = _pairs(regions, stems)
        rows = (
            select(literal(1).label("one"))
            .where(_OTHER.c.region == branch.c.region, _OTHER.c.stem == branch.c.stem)
            .limit(COUNTED_OF_REGION)
            .lateral()
        )
        some = select(rows.c.one).select_from(branch.join(rows, true())).limit(COUNTED_MAX)
        counts.append(select(func.count()).select_from(some.subquery()).scalar_subquery())
    found = list((await tx.execute(select(*counts))).one())
    return found.index(min(found))


def _newest(branch: Any, others: Sequence[list[bytes]], spec: PageSpec) -> Any:
    """Select time of registration and id of a page of reports, newest first. They have a stem in
    their region's pairs in `branch` (see `_pairs`), and a stem of each of `others`."""
    place = report_stems.c.registered_at, report_stems.c.report_id
    rows = select(*place).where(
        report_stems.c.region == branch.c.region,
        report_stems.c.stem == branch.c.stem,
        *(_has(stems) for stems in others),
    )
    if spec.after:
        moment, report_id = moment_and_id(spec.after)
        rows = rows.where(tuple_(*place) < tuple_(literal(moment), literal(report_id)))
    rows_of_branch = rows.order_by(*(each.desc() for each in place)).limit(spec.size).lateral()
    found = rows_of_branch.c.registered_at, rows_of_branch.c.report_id
    return (
        select(*found)
        .distinct()
        .select_from(branch.join(rows_of_branch, true()))
        .order_by(*(each.desc() for each in found))
        .limit(spec.size)
    )


def _has(stems: list[bytes]) -> ColumnElement[bool]:
    """An SQL condition: the report of a row has one of these stems (hashes). It is looked up row by
    row: without OFFSET, PostgreSQL may first read all rows with these stems, which are many more.
    """
    row = select(literal(1)).where(
        _OTHER.c.report_id == report_stems.c.report_id, _OTHER.c.stem.in_(stems)
    )
    return row.correlate(report_stems).offset(0).exists()


def _pairs(regions: list[str], stems: list[bytes]) -> Any:
    """An SQL table with a row for each pair of a region and a stem (hash)."""
    pairs = [(region, stem) for region in regions for stem in stems]
    columns = (
        literal([region for region, _ in pairs], ARRAY(Text)),
        literal([stem for _, stem in pairs], ARRAY(LargeBinary)),
    )
    return func.unnest(*columns).table_valued("region", "stem", name="pair").render_derived()
