"""Counts cameras by H3 cells of a map view: from stored counts or, in small views, one by one.

The database updates the counts by cell (migration 0019). The table `camera_cell_counts` has the
stored counts. The table `camera_cell_changes` has the changes that are not yet added to them. Both
tables together are exact at all times.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, array, insert
from statements.reads import Read

from camera_registry.model.description import AiFunction, CameraKind
from camera_registry.model.map_view import Cluster, MapView
from camera_registry.model.status import REPORTED, CameraStatus
from camera_registry.storage import life
from camera_registry.storage.cameras import Known
from camera_registry.storage.tables import CELL_RESOLUTION, cameras

# The resolutions of the kept counts; the finest is that of their changes.
KEPT = (4, 6, 8, 9)
FOLDED_AT_ONCE = 10_000
_KEY = ("cell", "region", "kind", "status", "functions")
_SUMS, _IDS = ("count", "latitudes", "longitudes"), ("id_high", "id_low")
# The kind under which the counts of all kinds and functions together are kept, for views without
# such a filter: these are a tenth of the rows.
_ALL_KINDS = ""
# In which the sums of places are kept.
_UNITS_A_DEGREE = 1e7


def _columns() -> list[Column[Any]]:
    return [
        Column("cell", BigInteger),
        Column("region", Text),
        Column("kind", Text),
        Column("status", Text),
        Column("functions", ARRAY(Text)),
        *(Column(name, BigInteger) for name in (*_SUMS, *_IDS)),
    ]


counts = Table("camera_cell_counts", MetaData(), *_columns())
changes = Table("camera_cell_changes", MetaData(), Column("position", BigInteger), *_columns())


@dataclass(frozen=True)
class MapFilters:
    """The conditions on counted cameras, which must all hold; None sets no condition."""

    kind: CameraKind | None = None
    function: AiFunction | None = None
    status: CameraStatus | None = None

    @property
    def values(self) -> dict[str, str]:
        """The SQL parameters, by name, for the kind and the function, if set.

        There is no parameter for the status, because `clusters` filters by status after reading.
        """
        given = {"kind": self.kind, "function": self.function}
        return {name: each.value for name, each in given.items() if each is not None}


@dataclass(frozen=True, slots=True)
class _Row:
    """Cameras of one cell and status: their number, sums of places in units, and exclusive or of
    ids; the kind, if it is a single camera that was read itself."""

    cell: int
    status: CameraStatus
    count: int
    latitudes: int
    longitudes: int
    ids: int
    kind: CameraKind | None = None


@dataclass
class _Sums:
    """What makes a cluster, of all rows with one cell."""

    latitudes: int = 0
    longitudes: int = 0
    ids: int = 0
    kind: CameraKind | None = None
    by_status: Counter[CameraStatus] = field(default_factory=Counter)

    def add(self, row: _Row) -> None:
        self.by_status[row.status] += row.count
        self.latitudes += row.latitudes
        self.longitudes += row.longitudes
        self.ids ^= row.ids
        self.kind = row.kind

    @property
    def cluster(self) -> Cluster:
        count = self.by_status.total()
        mean = (self.latitudes / count, self.longitudes / count)
        latitude, longitude = (round(each / _UNITS_A_DEGREE, 7) for each in mean)
        camera_id = UUID(int=self.ids) if count == 1 else None
        kind = self.kind if count == 1 else None
        return Cluster(latitude, longitude, self.by_status, camera_id, kind)


async def clusters(tx: Tx, view: MapView, filters: MapFilters, known: Known) -> list[Cluster]:
    """Return clusters of the cameras in service that match the filters.

    There is one cluster for each cell of the view that has such cameras. If the view asks for
    single cameras, and they are few enough, there is one cluster for each camera. Statuses in
    REPORTED hold only while a hub reports. They count as UNKNOWN if hubs' reports were last
    processed outside of `known`.
    """
    is_watched = (await tx.read(_BEGIN, **known.parameters))[0].is_watched
    rows: list[_Row] = []
    for row in await _counted(tx, view, filters):
        status = row.status if is_watched or row.status not in REPORTED else CameraStatus.UNKNOWN
        if row.count and filters.status in (None, status):
            rows.append(row if row.status is status else replace(row, status=status))
    if view.shows_singles and len(rows) <= view.singles_max:
        rows.sort(key=lambda row: row.ids)
        rows = [replace(row, cell=number) for number, row in enumerate(rows)]
    found: dict[int, _Sums] = {}
    for row in rows:
        found.setdefault(row.cell, _Sums()).add(row)
    return [found[cell].cluster for cell in sorted(found)]


async def fold_changes(tx: Tx) -> int:
    """Add the oldest changes to the stored counts, and delete these changes.

    Returns the number of these changes, at most FOLDED_AT_ONCE.
    """
    folded: int = await tx.scalar(_FOLD)
    return folded


async def _counted(tx: Tx, view: MapView, filters: MapFilters) -> Iterable[_Row]:
    """Counts by cell of the view and status."""
    given, regions = filters.values, None if tx.scope.sees_all_regions else list(tx.scope.regions)
    values: dict[str, Any] = {**given, "regions": regions}
    names = frozenset(name for name, value in values.items() if value is not None)
    if view.reads_cameras:
        values |= _listed(view.ranges(CELL_RESOLUTION))
        rows = await tx.read(_one_by_one(names), **values)
        return _in_cells(rows, view)
    kept = next(each for each in KEPT if each >= view.resolution)
    mask, ones = _parent(view.resolution)
    values |= {"mask": mask, "ones": ones, "cells": list(view.cells), **_listed(view.ranges(kept))}
    rows = await tx.read(_of_counts(names), **values)
    return [
        _Row(
            row.cell,
            CameraStatus(row.status),
            row.count,
            row.latitudes,
            row.longitudes,
            _id_of(row),
        )
        for row in rows
    ]


def _in_cells(rows: Iterable[Any], view: MapView) -> Iterator[_Row]:
    for row in rows:
        cell = view.cell_of(row.latitude, row.longitude)
        if view.shows_singles and not view.holds(row.latitude, row.longitude):
            continue
        if cell in view.cells:
            place = (round(row.latitude * _UNITS_A_DEGREE), round(row.longitude * _UNITS_A_DEGREE))
            status, kind = CameraStatus(row.status), CameraKind(row.kind)
            yield _Row(cell, status, 1, place[0], place[1], row.camera_id.int, kind)


def _id_of(row: Any) -> int:
    high, low = (each % 2**64 for each in (row.id_high, row.id_low))
    return int(high << 64 | low)


def _listed(ranges: list[tuple[int, int]]) -> dict[str, list[int]]:
    return {"lows": [low for low, _ in ranges], "highs": [high for _, high in ranges]}


def _parent(resolution: int) -> tuple[int, int]:
    """Two masks, from which a cell's parent at `resolution` follows: the bits to keep of the cell,
    and the bits to set in it.

    A cell's number holds its resolution in bits 52 to 55. The digits beyond this resolution are
    ones.
    """
    return ~(0xF << 52) & (2**63 - 1), resolution << 52 | (1 << 3 * (15 - resolution)) - 1


def _in_view(table: Any) -> ColumnElement[Any]:
    """The cell of the view in which a row's cell lies."""
    mask, ones = (bindparam(name, type_=BigInteger) for name in ("mask", "ones"))
    return cast(table.c.cell.bitwise_and(mask).bitwise_or(ones), BigInteger)


def _conditions(table: Any, given: frozenset[str]) -> list[Any]:
    conditions: Mapping[str, Any] = {
        "kind": table.c.kind == bindparam("kind"),
        "function": bindparam("function", type_=Text) == func.any(table.c.functions),
        "regions": table.c.region == func.any(bindparam("regions", type_=ARRAY(Text))),
    }
    return [condition for name, condition in conditions.items() if name in given]


def _in_ranges(table: Any, columns: list[Any], conditions: list[Any]) -> Any:
    """These columns of the rows in the given ranges of cells, range by range.

    OFFSET keeps PostgreSQL from joining all ranges with the table at once: with its low estimates
    under row-level security it would go through the whole table for each range.
    """
    in_range = table.c.cell.between(_ranges.c.low, _ranges.c.high)
    rows = select(*columns).where(in_range, *conditions).offset(0).correlate(_ranges)
    found = rows.lateral("found")
    return select(found).select_from(_ranges.join(found, true()))


@lru_cache(maxsize=8)
def _of_counts(given: frozenset[str]) -> Read:
    """Sums by cell of the view and status: of the kept counts and what has changed since."""
    names = ("status", *_SUMS, *_IDS)
    kept, new = (
        [_in_view(table).label("cell"), *(table.c[name] for name in names)]
        for table in (counts, changes)
    )
    is_in_view = _in_view(changes) == func.any(bindparam("cells", type_=ARRAY(BigInteger)))
    is_filtered = bool(given & {"kind", "function"})
    is_kept = (counts.c.kind != _ALL_KINDS) if is_filtered else (counts.c.kind == _ALL_KINDS)
    parts = union_all(
        _in_ranges(counts, kept, [is_kept, *_conditions(counts, given)]),
        select(*new).where(is_in_view, *_conditions(changes, given)),
    )
    return Read(_summed(parts.subquery("parts")))


@lru_cache(maxsize=8)
def _one_by_one(given: frozenset[str]) -> Read:
    """The places of the cameras in service themselves."""
    columns = [cameras.c[name] for name in ("camera_id", "latitude", "longitude", "status", "kind")]
    conditions = [*_conditions(cameras, given), cameras.c.retired_at.is_(None)]
    return Read(_in_ranges(cameras, columns, conditions))


def _summed(parts: Any) -> Select[Any]:
    sums = [cast(func.sum(parts.c[name]), BigInteger).label(name) for name in _SUMS]
    ids = [func.bit_xor(parts.c[name], type_=BigInteger).label(name) for name in _IDS]
    return select(parts.c.cell, parts.c.status, *sums, *ids).group_by(parts.c.cell, parts.c.status)


def _fold() -> Any:
    oldest = select(changes.c.position).order_by(changes.c.position).limit(FOLDED_AT_ONCE)
    taken = (
        delete(changes)
        .where(changes.c.position.in_(oldest))
        .returning(*(changes.c[name] for name in (*_KEY, *_SUMS, *_IDS)))
        .cte("taken")
    )
    joint = {name: taken.c[name] for name in (*_KEY, *_SUMS, *_IDS)}
    nothing = cast(array([]), ARRAY(Text))
    together = {**joint, "kind": literal(_ALL_KINDS, Text), "functions": nothing}
    parts = union_all(
        *(
            select(*(each.label(name) for name, each in (columns | {"cell": cell}).items()))
            for columns in (joint, together)
            for cell in (
                cast(taken.c.cell.bitwise_and(mask).bitwise_or(ones), BigInteger)
                for mask, ones in map(_parent, KEPT)
            )
        )
    ).subquery("parts")
    key = [parts.c[name] for name in _KEY]
    sums = [cast(func.sum(parts.c[name]), BigInteger) for name in _SUMS]
    ids = [func.bit_xor(parts.c[name]) for name in _IDS]
    summed = select(*key, *sums, *ids).group_by(*key)
    rows = insert(counts).from_select([*_KEY, *_SUMS, *_IDS], summed)
    changed = {name: counts.c[name] + rows.excluded[name] for name in _SUMS}
    changed |= {name: counts.c[name].bitwise_xor(rows.excluded[name]) for name in _IDS}
    added = rows.on_conflict_do_update(index_elements=list(_KEY), set_=changed)
    return select(func.count()).select_from(taken).add_cte(added.cte("added"))


_ranges = (
    func.unnest(
        bindparam("lows", type_=ARRAY(BigInteger)), bindparam("highs", type_=ARRAY(BigInteger))
    )
    .table_valued("low", "high", name="ranges")
    .render_derived()
)
# A plan for any ranges may scan a whole table, so each statement is planned for its own.
_BEGIN = Read(
    select(
        life.is_watched().label("is_watched"),
        func.set_config("plan_cache_mode", "force_custom_plan", True).label("plan_cache_mode"),
    )
)
_FOLD = _fold()
