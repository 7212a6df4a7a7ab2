"""Finds the cameras in an area, by ranges of the H3 cells that cover it, or nearest to a place."""

from functools import lru_cache
from typing import Any

from chassis.transaction import Tx
from sqlalchemy import BigInteger, Boolean, Select, Uuid, bindparam, func, or_, select, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from statements.reads import Read

from camera_registry.model.area import Area, Circle
from camera_registry.model.cover import cover
from camera_registry.storage.filters import (
    LEAST_ID,
    Place,
    conditions_of,
    distance,
    shape_values,
    within_area,
)
from camera_registry.storage.parts import SIZE, region, with_life
from camera_registry.storage.tables import CELL_RESOLUTION, camera_functions, cameras

# As many cameras are read all, rather than sought in circles.
FEW = 400
# More cameras than there are.
_ALL = 100_000_000
_NAMES = ("lows", "highs", "ids", "wholes")


def ranges_of(area: Area, after: Place | None = None) -> dict[str, Any]:
    """Return the SQL parameters for the ranges of H3 cells that cover an area. Cameras up to
    `after` are left out.

    Each parameter is a list with one value for each range. `lows` has the first cells of the
    ranges. `highs` has their last cells. In the first cell of a range, only cameras with ids after
    the one in `ids` are read. `wholes` says whether the range is wholly within the area.
    """
    ranges = [
        (each.first, each.last, LEAST_ID, each.is_whole) for each in cover(area, CELL_RESOLUTION)
    ]
    if after is not None:
        ranges = [each for each in ranges if each[1] >= after.cell]
        if ranges and ranges[0][0] <= after.cell:
            ranges[0] = (after.cell, ranges[0][1], after.camera_id, ranges[0][3])
    columns = zip(*ranges, strict=True) if ranges else ((),) * len(_NAMES)
    return dict(zip(_NAMES, map(list, columns), strict=True))


def in_cells(given: frozenset[str], conditions: list[Any]) -> Select[Any]:
    """Return the query for a page of cameras in ranges of cells, read range by range.

    `given` has the names of the SQL parameters, among them those of the area. `conditions` are
    further SQL conditions. The statement as a whole has no ORDER BY: with one, PostgreSQL would
    read a page of every range instead of stopping when the page is full.
    """
    each = _of_range(given, conditions).order_by(cameras.c.cell, cameras.c.camera_id).limit(SIZE)
    of_region = each.correlate(region, _cells).lateral("of_region")
    of_range = select(of_region).select_from(region.join(of_region, true()))
    of_range = of_range.order_by(of_region.c.cell, of_region.c.camera_id).limit(SIZE)
    first = of_range.correlate(_cells).lateral("first")
    return select(first).select_from(_cells.join(first, true())).limit(SIZE)


def _of_range(given: frozenset[str], conditions: list[Any]) -> Select[Any]:
    place = tuple_(cameras.c.cell, cameras.c.camera_id)
    return select(cameras).where(
        cameras.c.region == region.c.code,
        cameras.c.cell.between(_cells.c.low, _cells.c.high),
        place > tuple_(_cells.c.low, _cells.c.after_id),
        or_(_cells.c.is_whole, within_area(given)),
        *conditions,
    )


async def nearest(tx: Tx, circle: Circle, values: dict[str, Any], *, size: int) -> list[Any]:
    """Return the rows of the `size` cameras in a circle that are nearest to its centre.

    They are ordered by distance, then by id. `values` has the SQL parameters of the other
    conditions. One of them is `regions`, the regions in which cameras are searched for.
    """
    given = {**values, **shape_values(circle)}
    statement = _nearest(frozenset(given), in_circle=True)
    return await tx.read(statement, **given, **ranges_of(circle), size=size)


async def nearest_of_all(tx: Tx, circle: Circle, values: dict[str, Any], *, size: int) -> list[Any]:
    """Return the rows of the `size` cameras nearest to a circle's centre, however far they are.

    `values` is as for `nearest`.
    """
    given = {**values, **shape_values(circle)}
    return await tx.read(_nearest(frozenset(given), in_circle=False), **given, size=size)


async def are_few(tx: Tx, values: dict[str, Any]) -> bool:
    """Whether at most FEW cameras in service match the conditions with the parameters `values`.

    If `values` has neither a kind nor a function, returns False without counting.
    """
    given = frozenset(values)
    if not given & {"kind", "function"}:
        return False
    return len(await tx.read(_some(given), **values, size=FEW + 1)) <= FEW


@lru_cache(maxsize=16)
def _nearest(given: frozenset[str], *, in_circle: bool) -> Read:
    if in_circle:
        conditions = conditions_of(given, with_retired=False)
        # In this order, or PostgreSQL would read the whole region.
        ordered = _of_range(given, conditions).order_by(cameras.c.cell, cameras.c.camera_id)
        found = ordered.limit(_ALL).correlate(region, _cells).lateral("found")
        source = region.join(_cells, true()).join(found, true())
    else:
        found = _of_region(given, cameras).correlate(region).lateral("found")
        source = region.join(found, true())
    metres = distance(found.c.latitude, found.c.longitude).label("distance_metres")
    near = select(found, metres).select_from(source).order_by(metres, found.c.camera_id).limit(SIZE)
    return Read(with_life(near, "distance_metres"))


@lru_cache(maxsize=16)
def _some(given: frozenset[str]) -> Read:
    each = _of_region(given, cameras.c.camera_id).limit(SIZE).correlate(region).lateral("each")
    return Read(select(each).select_from(region.join(each, true())).limit(SIZE))


def _of_region(given: frozenset[str], what: Any) -> Select[Any]:
    """The cameras in service of a region that match the conditions."""
    code = region.c.code
    query = select(what).where(cameras.c.region == code, *conditions_of(given, with_retired=False))
    if "function" not in given:
        return query
    of = camera_functions
    query = query.join_from(of, cameras, cameras.c.camera_id == of.c.camera_id)
    return query.where(of.c.region == code, of.c.function == bindparam("function"))


_cells = (
    func.unnest(
        bindparam("lows", type_=ARRAY(BigInteger)),
        bindparam("highs", type_=ARRAY(BigInteger)),
        bindparam("ids", type_=ARRAY(Uuid)),
        bindparam("wholes", type_=ARRAY(Boolean)),
    )
    .table_valued("low", "high", "after_id", "is_whole", name="cells")
    .render_derived()
)
