"""Reads the counts of cameras that the database keeps (migration 0012), and sums them up."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from chassis.db import Database
from chassis.transaction import Scope, Tx
from sqlalchemy import (
    BigInteger,
    Select,
    Text,
    bindparam,
    cast,
    delete,
    func,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from statements.reads import Read

from camera_registry.model.status import REPORTED, CameraStatus
from camera_registry.storage import life
from camera_registry.storage.tables import count_changes, counts, folded

# Rows of changes that one statement adds to the counts.
FOLDED_AT_ONCE = 10_000
_KEY = ("region", "property", "value", "status")


@dataclass(frozen=True, eq=False)
class RegionCounts:
    """The numbers of cameras in a region that are not retired, by property and by status.

    The region "" stands for all regions together. A key of `by_status` is a property and its value:
    "registered", "connected" or "with_ai" with the value "", or "kind", "function" or
    "site_category" with one of its values. Successive reads of equal counts return the same object,
    so that results derived from it can be cached.
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
    """Add up the counts of several regions; the result has the region ""."""
    summed: dict[tuple[str, str], Counter[CameraStatus]] = {}
    for region in regions:
        for key, numbers in region.by_status.items():
            of_key = summed.setdefault(key, Counter())
            for status, number in numbers.items():
                of_key[status] += number
    return RegionCounts("", summed)


@dataclass(frozen=True)
class Standing:
    """The state of the counts that a scope sees. While this state is unchanged, the counts are
    unchanged.

    The field `changes` is the number of all changes ever added to the stored counts, plus the
    number of changes not yet added that the scope sees. It never decreases, and every new visible
    change raises it. The field `is_watched` is the value of `life.is_watched`.
    """

    changes: int
    is_watched: bool


async def read_standing(db: Database, scope: Scope, parameters: Mapping[str, datetime]) -> Standing:
    """Read the state of the counts; `parameters` are the SQL parameters of `life.is_watched`."""
    [row] = await db.read(scope, _STANDING, **parameters)
    return Standing(row.changes, row.is_watched)


async def read_counts(
    db: Database, scope: Scope, region: str, *, is_watched: bool
) -> list[RegionCounts]:
    """Return the counts of `region`, or of each region in the scope if `region` is "".

    Statuses in REPORTED hold only while a hub reports. Unless `is_watched`, they count as UNKNOWN.
    """
    rows = await (db.read(scope, _OF_REGION, region=region) if region else db.read(scope, _OF_ALL))
    return [_read_region(row.region, row.counts, is_watched) for row in sorted(rows)]


@lru_cache(maxsize=256)
def _read_region(region: str, listed: str, is_watched: bool) -> RegionCounts:
    """The counts of a region, `listed` as `_current` does."""
    by_status: dict[tuple[str, str], Counter[CameraStatus]] = {}
    for name, value, stored, count in json.loads(listed):
        status = CameraStatus(stored)
        if status in REPORTED and not is_watched:
            status = CameraStatus.UNKNOWN
        by_status.setdefault((name, value), Counter())[status] += count
    return RegionCounts(region, by_status)


async def fold_changes(tx: Tx) -> int:
    """Add the oldest changes to the stored counts, and delete these changes.

    Returns the number of these changes, at most FOLDED_AT_ONCE.
    """
    number: int = await tx.scalar(_FOLD)
    return number


def _current(*conditions: Any) -> Select[Any]:
    """The counts with the changes recorded since, without counts of zero. Each region has the JSON
    of an array of [property, value, status, count]. The JSON stays the same while the counts do."""
    parts = [
        select(*(table.c[name] for name in (*_KEY, "count"))) for table in (counts, count_changes)
    ]
    rows = union_all(*parts).subquery()
    summed = cast(func.sum(rows.c.count), BigInteger)
    key = [rows.c[name] for name in _KEY]
    query = select(*key, summed.label("count")).group_by(*key).having(summed != 0)
    each = query.where(*(rows.c.region == region for region in conditions)).subquery()
    region, *others = (each.c[name] for name in _KEY)
    listed = func.json_agg(
        aggregate_order_by(func.json_build_array(*others, each.c.count), *others)
    )
    return select(region, cast(listed, Text).label("counts")).group_by(region)


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
    number = select(func.count()).select_from(taken).scalar_subquery()
    told = update(folded).values(changes=folded.c.changes + number).where(number > 0)
    parts = (added.cte("added"), told.cte("told"))
    return select(func.count()).select_from(taken).add_cte(*parts)


def _standing() -> Read:
    waiting = select(func.count()).select_from(count_changes).scalar_subquery()
    changes = (folded.c.changes + waiting).label("changes")
    return Read(select(changes, life.is_watched().label("is_watched")))


_OF_ALL, _OF_REGION = Read(_current()), Read(_current(bindparam("region")))
_FOLD, _STANDING = _fold(), _standing()
