"""Lists cameras that match filters, page by page, by statements that read few rows for each answer.

With row-level security alone, PostgreSQL would read all cameras in the order of the list and drop
most. So the statements name the caller's regions or the cells of an area. For each region or range
of cells, they read at most a page, in the order of an index (migrations 0014 and 0016).

The parameter `known` is the time range in which hubs' reports must last have been processed. If
they were not, the statuses that hubs report are returned as UNKNOWN.
"""

from functools import lru_cache
from typing import Any

from chassis.transaction import Tx
from law.regions import REGIONS
from sqlalchemy import LargeBinary, Select, Text, bindparam, func, select, true, tuple_
from statements.reads import Read

from camera_registry.keyed import owner_index
from camera_registry.model.area import Circle
from camera_registry.model.camera import Camera
from camera_registry.model.status import REPORTED
from camera_registry.storage import in_cells, life, words
from camera_registry.storage.cameras import Known, known_camera
from camera_registry.storage.filters import (
    LEAST_ID,
    Filters,
    Place,
    conditions_of,
    values_of,
    within_area,
)
from camera_registry.storage.owners import camera_owners
from camera_registry.storage.parts import SIZE, region, regions_given, sort_column, with_life
from camera_registry.storage.tables import camera_functions, cameras

__all__ = ["Filters", "Place", "nearest", "page"]

# Radii in metres of the circles in which the nearest cameras are sought, one after another.
NEAR_METRES_MIN, NEAR_METRES_MAX = 125.0, 100_000.0
_WIDER, _WIDEST = 1.6, 6.0


async def page(
    tx: Tx, filters: Filters, *, after: Place | None, size: int, known: Known
) -> list[Camera]:
    """Return the first `size` cameras after the place `after` that match the filters.

    They are ordered by `filters.sorted_by`, then by id. If `after` is None, the page is the first.
    """
    is_watched = await _begin(tx, known)
    if filters.status in REPORTED and not is_watched:
        return []  # nobody knows who is
    values = values_of(filters, is_watched=is_watched)
    values["regions"] = _regions(tx, filters)
    if filters.owner_iin:
        values["owner_index"] = owner_index(tx.keys, filters.owner_iin)
        rows = await _owned(tx, filters, values, after=after, size=size)
    elif filters.words:
        rows = await _with_words(tx, filters, values, after=after, size=size)
    else:
        rows = await _page(tx, filters, values, after=after, size=size)
    return [known_camera(row, is_watched=is_watched) for row in rows]


async def nearest(
    tx: Tx, centre: Circle, filters: Filters, *, size: int, known: Known
) -> list[tuple[Camera, float]]:
    """Return the `size` cameras in service that match the filters and are nearest to a centre.

    Each camera comes with its distance in metres. Fewer are returned if there are no more. The
    radius of `centre` is ignored: circles of growing radius are searched until one contains enough
    cameras.
    """
    is_watched = await _begin(tx, known)
    values = values_of(filters, is_watched=is_watched) | {"regions": _regions(tx, filters)}
    few, metres = await in_cells.are_few(tx, values), NEAR_METRES_MIN
    while not few and metres <= NEAR_METRES_MAX:
        circle = Circle(centre.latitude, centre.longitude, metres)
        rows = await in_cells.nearest(tx, circle, values, size=size)
        if len(rows) == size:
            break
        # As if cameras were spread evenly.
        metres *= min(_WIDEST, max(_WIDER, 1.3 * (size / max(len(rows), 0.5)) ** 0.5))
    else:
        rows = await in_cells.nearest_of_all(tx, centre, values, size=size)
    return [(known_camera(row, is_watched=is_watched), row.distance_metres) for row in rows]


async def _begin(tx: Tx, known: Known) -> bool:
    """Whether a status that a hub reported still holds."""
    found: bool = (await tx.read(_BEGIN, **known.parameters))[0].is_watched
    return found


# A plan for any values of the parameters reads a large region as if it were small, so the statement
# of a page is planned anew.
_BEGIN = Read(
    select(
        life.is_watched().label("is_watched"),
        func.set_config("plan_cache_mode", "force_custom_plan", True).label("plan_cache_mode"),
    )
)


def _regions(tx: Tx, filters: Filters) -> list[str]:
    """The regions whose cameras are to be read; row-level security drops what is not seen."""
    if filters.region:
        return [filters.region]
    return list(REGIONS) if tx.scope.sees_all_regions else sorted(set(tx.scope.regions))


async def _page(
    tx: Tx, filters: Filters, values: dict[str, Any], *, after: Place | None, size: int
) -> list[Any]:
    if filters.area is not None:
        more = in_cells.ranges_of(filters.area, after)
    else:
        more = _after(filters, after)
    statement = _statement(frozenset(values), filters.sorted_by, filters.includes_retired)
    return await tx.read(statement, **values, **more, size=size)


async def _with_words(
    tx: Tx, filters: Filters, values: dict[str, Any], *, after: Place | None, size: int
) -> list[Any]:
    """A page of the cameras with the words that are sought."""
    seeds = await words.find_seeds(tx, filters, values, after=after)
    if seeds.are_all:
        return await _seeded(tx, filters, values | seeds.values, after=after, size=size)
    if seeds.words and filters.sorted_by == "camera_id":
        return await words.page(tx, filters, values | seeds.values, after=after, size=size)
    return await _page(tx, filters, values, after=after, size=size)


async def _seeded(
    tx: Tx, filters: Filters, values: dict[str, Any], *, after: Place | None, size: int
) -> list[Any]:
    """A page of the few cameras that have a rare word."""
    statement = _of_seeds(frozenset(values), filters.sorted_by, filters.includes_retired)
    return await tx.read(statement, **values, **_after(filters, after), size=size)


async def _owned(
    tx: Tx, filters: Filters, values: dict[str, Any], *, after: Place | None, size: int
) -> list[Any]:
    """A page of the cameras of a person."""
    statement = _of_owner(frozenset(values), filters.sorted_by, filters.includes_retired)
    return await tx.read(statement, **values, **_after(filters, after), size=size)


def _after(filters: Filters, after: Place | None) -> dict[str, Any]:
    """Where the page begins in the order of the list."""
    if filters.sorted_by == "cell":
        return {"after_id": after.camera_id, "after_cell": after.cell} if after else _BEFORE_CELLS
    if filters.sorted_by == "camera_id":
        return {"after_id": after.camera_id if after else LEAST_ID}
    least = filters.kato_prefix if filters.sorted_by == "kato" else ""
    return {
        "after_id": after.camera_id if after else LEAST_ID,
        "after_text": after.text if after else least,
    }


_BEFORE_CELLS: dict[str, Any] = {"after_id": LEAST_ID, "after_cell": 0}


@lru_cache(maxsize=256)
def _statement(given: frozenset[str], sorted_by: str, with_retired: bool) -> Read:
    """The statement of a page with these parameters, compiled once."""
    conditions = conditions_of(given, with_retired=with_retired)
    if sorted_by == "cell":
        found = in_cells.in_cells(given, conditions)
    elif "serial" in given:
        found = _called(conditions, sorted_by)
    else:
        found = _in_regions(given, conditions, sorted_by, with_retired=with_retired)
    return Read(with_life(found, sorted_by))


@lru_cache(maxsize=64)
def _of_seeds(given: frozenset[str], sorted_by: str, with_retired: bool) -> Read:
    """The statement of a page of the cameras that have the seeds, which are few, among their words;
    compiled once."""
    conditions = conditions_of(given, with_retired=with_retired)
    if sorted_by == "cell":
        conditions.append(within_area(given))
    found = words.with_seeds([*conditions, _is_after(sorted_by)])
    return Read(with_life(_first(found, sorted_by), sorted_by))


@lru_cache(maxsize=64)
def _of_owner(given: frozenset[str], sorted_by: str, with_retired: bool) -> Read:
    """The statement of a page of a person's cameras, which are few; compiled once."""
    conditions = conditions_of(given, with_retired=with_retired)
    if sorted_by == "cell":
        conditions.append(within_area(given))
    of = camera_owners
    found = (
        select(cameras)
        .join_from(of, cameras, cameras.c.camera_id == of.c.camera_id)
        .where(
            of.c.owner_index == bindparam("owner_index", type_=LargeBinary),
            cameras.c.region == func.any(regions_given),
            _is_after(sorted_by),
            *conditions,
        )
        .order_by(sort_column(cameras, sorted_by), cameras.c.camera_id)
        .limit(SIZE)
    )
    return Read(with_life(found, sorted_by))


def _called(conditions: list[Any], sorted_by: str) -> Select[Any]:
    """The cameras with a serial number or a name, which are few."""
    query = select(cameras).where(
        cameras.c.region == func.any(regions_given), _is_after(sorted_by), *conditions
    )
    return query.order_by(sort_column(cameras, sorted_by), cameras.c.camera_id).limit(SIZE)


def _first(found: Any, sorted_by: str) -> Select[Any]:
    return select(found).order_by(sort_column(found, sorted_by), found.c.camera_id).limit(SIZE)


def _is_after(sorted_by: str) -> Any:
    if sorted_by == "camera_id":
        return cameras.c.camera_id > bindparam("after_id")
    last: Any = bindparam("after_cell" if sorted_by == "cell" else "after_text")
    place = tuple_(sort_column(cameras, sorted_by), cameras.c.camera_id)
    return place > tuple_(last, bindparam("after_id"))


def _in_regions(
    given: frozenset[str], conditions: list[Any], sorted_by: str, *, with_retired: bool
) -> Select[Any]:
    """A page of all regions, chosen from the first cameras of each region."""
    code: Any = region.c.code
    after: Any = bindparam("after_id")
    query = select(cameras).where(*conditions).limit(SIZE)
    if sorted_by == "name_order":
        keys = [cameras.c.name_order, cameras.c.camera_id]
        start = func.concat(code, " ", bindparam("after_text", type_=Text))
        query = query.where(tuple_(*keys) > tuple_(start, after))
        each = query.where(cameras.c.name_order < func.concat(code, "!")).order_by(*keys)
    elif sorted_by == "kato":
        keys = [cameras.c.region, cameras.c[sorted_by], cameras.c.camera_id]
        last: Any = bindparam("after_text")
        query = query.where(tuple_(*keys) > tuple_(code, last, after), cameras.c.region <= code)
        each = query.order_by(*keys)
    elif "function" in given and not with_retired:
        of = camera_functions
        query = query.join_from(of, cameras, cameras.c.camera_id == of.c.camera_id)
        query = query.where(of.c.region == code, of.c.function == bindparam("function"))
        each = query.where(of.c.camera_id > after).order_by(of.c.camera_id)
    elif given & {"status", "owner_bin", "site_category"} or ("kind" in given and not with_retired):
        query = query.where(cameras.c.region == code, cameras.c.camera_id > after)
        each = query.order_by(cameras.c.camera_id)
    else:
        # As a pair, and no equation: PostgreSQL would take the region's cameras to be spread evenly
        # over all ids, and read all ids in their order.
        pair = tuple_(cameras.c.region, cameras.c.camera_id)
        query = query.where(pair > tuple_(code, after), cameras.c.region <= code)
        each = query.order_by(cameras.c.region, cameras.c.camera_id)
    first = each.correlate(region).lateral("first")
    return _first_of(first, sorted_by)


def _first_of(first: Any, sorted_by: str) -> Select[Any]:
    chosen = select(first).select_from(region.join(first, true()))
    return chosen.order_by(sort_column(first, sorted_by), first.c.camera_id).limit(SIZE)
