"""Finds reports by the words of their texts, newest first.

A report is found if it has a stem of each word. The search goes through the index by the word that
fewest reports have, in each region newest first, and looks the other words up, so that it reads
little more than it returns. Row-level security lets PostgreSQL use an index only for comparisons
that cannot tell of hidden rows; those of an inverted index (GIN) are none.
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

# So many reports with a word are counted, of a region and in all, to find the rarest word.
COUNTED_OF_REGION, COUNTED_MAX = 500, 5000
_OTHER = report_stems.alias("other")


@dataclass(frozen=True)
class FoundReports:
    """A page of found reports. `keys` are the sort keys of its rows, for a page token."""

    reports: list[Report]
    keys: list[tuple[str, ...]]


async def found_by_words(
    tx: Tx, words: Sequence[Alternatives], region: str, spec: PageSpec
) -> FoundReports:
    """Return a page of the reports whose texts have all of these words, of a region ("" for all
    that the transaction's scope may see); the newest registration first.

    Raises PageTokenWrong for an altered token.
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
    """The hashes that a report with a word may have: of each stem, under the key of each class."""
    return [stem for each in SEARCHED for stem in hashed(tx.keys, each, sorted(word))]


async def _rarest(tx: Tx, regions: list[str], words: Sequence[list[bytes]]) -> int:
    """The position of the word that fewest reports of these regions have, of up to COUNTED_MAX."""
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
    """Select id and time of registration of a page of reports, each once."""
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
    """Whether the report of a row has one of these stems.

    It is looked up row by row: without OFFSET, PostgreSQL may read all rows with these stems first,
    which are many more.
    """
    row = select(literal(1)).where(
        _OTHER.c.report_id == report_stems.c.report_id, _OTHER.c.stem.in_(stems)
    )
    return row.correlate(report_stems).offset(0).exists()


def _pairs(regions: list[str], stems: list[bytes]) -> Any:
    """Rows of all pairs of a region and a stem."""
    pairs = [(region, stem) for region in regions for stem in stems]
    columns = (
        literal([region for region, _ in pairs], ARRAY(Text)),
        literal([stem for _, stem in pairs], ARRAY(LargeBinary)),
    )
    return func.unnest(*columns).table_valued("region", "stem", name="pair").render_derived()
