"""Reads the counts of cameras that the database keeps (migration 0012), and sums them up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.transaction import Tx
from sqlalchemy import BigInteger, Select, bindparam, cast, delete, func, select, union_all
from sqlalchemy.dialects.postgresql import insert
from statements.reads import Read

from camera_registry.model.status import REPORTED, CameraStatus
from camera_registry.storage.tables import count_changes, counts

# Rows of changes that one statement adds to the counts.
FOLDED_AT_ONCE = 10_000
_KEY = ("region", "property", "value", "status")


@dataclass(frozen=True)
class RegionCounts:
    """Counts, by property and status, of the cameras of a region that are not retired.

    The region "" stands for all regions together.
    A property is "registered", "connected" or "with_ai" with the value "", or "kind", "function"
    or "site_category" with one of its values.
    """

    region: str
    by_status: Mapping[tuple[str, str], Counter[CameraStatus]]

    def of(self, name: str) -> Counter[CameraStatus]:
        """The counts by status for a property whose only value is "", such as "connected"."""
        return self.by_status.get((name, ""), Counter())

    def values(self, name: str) -> list[tuple[str, Counter[CameraStatus]]]:
        """The sorted values of a property, each with its counts of cameras by status."""
        values = sorted(value for kept, value in self.by_status if kept == name)
        return [(value, self.by_status[name, value]) for value in values]


def total(regions: Iterable[RegionCounts]) -> RegionCounts:
    """The counts of several regions together."""
    summed: dict[tuple[str, str], Counter[CameraStatus]] = {}
    for region in regions:
        for key, numbers in region.by_status.items():
            summed.setdefault(key, Counter()).update(numbers)
    return RegionCounts("", summed)


async def read_counts(tx: Tx, region: str, *, is_watched: bool) -> list[RegionCounts]:
    """The counts of `region`, or of each region in the transaction's scope if `region` is "".

    If the register is not watched, cameras that are stored as alive count as UNKNOWN.
    """
    rows = await (tx.read(_OF_REGION, region=region) if region else tx.read(_OF_ALL))
    regions: dict[str, dict[tuple[str, str], Counter[CameraStatus]]] = {}
    for row in rows:
        status = CameraStatus(row.status)
        if status in REPORTED and not is_watched:
            status = CameraStatus.UNKNOWN
        numbers = regions.setdefault(row.region, {}).setdefault(
            (row.property, row.value), Counter()
        )
        numbers[status] += row.count
    return [RegionCounts(each, by_status) for each, by_status in sorted(regions.items())]


async def fold_changes(tx: Tx) -> int:
    """Add the oldest changes to the stored counts, delete these changes and return how many."""
    folded: int = await tx.scalar(_FOLD)
    return folded


def _current(*conditions: Any) -> Select[Any]:
    """The counts with what has changed since, without those that are zero."""
    parts = [
        select(*(table.c[name] for name in (*_KEY, "count"))) for table in (counts, count_changes)
    ]
    rows = union_all(*parts).subquery()
    summed = cast(func.sum(rows.c.count), BigInteger)
    key = [rows.c[name] for name in _KEY]
    query = select(*key, summed.label("count")).group_by(*key).having(summed != 0)
    return query.where(*(rows.c.region == each for each in conditions))


def _fold() -> Any:
    oldest = (
        select(count_changes.c.position).order_by(count_changes.c.position).limit(FOLDED_AT_ONCE)
    )
    taken = (
        delete(count_changes)
        .where(count_changes.c.position.in_(oldest))
        .returning(*(count_changes.c[name] for name in (*_KEY, "count")))
        .cte("taken")
    )
    key = [taken.c[name] for name in _KEY]
    summed = select(*key, cast(func.sum(taken.c.count), BigInteger)).group_by(*key)
    rows = insert(counts).from_select([*_KEY, "count"], summed)
    changed = counts.c.count + rows.excluded.count
    added = rows.on_conflict_do_update(index_elements=list(_KEY), set_={"count": changed})
    return select(func.count()).select_from(taken).add_cte(added.cte("added"))


_OF_ALL, _OF_REGION = Read(_current()), Read(_current(bindparam("region")))
_FOLD = _fold()
