"""Lists cameras that match filters, page by page, by statements that read few rows for each answer.

Row-level security would let PostgreSQL read all cameras in the order of the list and drop most. So
the statements name the caller's regions or the cells of an area, and read for each of them at most
a page, in the order of an index (migration 0014).
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from law.regions import REGIONS
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from statements.reads import Read

from camera_registry.model.area import EARTH_RADIUS_METRES, Circle
from camera_registry.model.camera import ALIVE, Camera, CameraStatus
from camera_registry.model.description import AiFunction, CameraKind
from camera_registry.serials import folded
from camera_registry.storage import life
from camera_registry.storage.cameras import Known, known_camera
from camera_registry.storage.tables import (
    CELL_RESOLUTION,
    camera_functions,
    cameras,
    cell_of,
    name_folded,
)
from camera_registry.storage.tables import life as heard


@dataclass(frozen=True)
class Place:
    """Where a page ended: after this camera, in the order of ids, or of cells and then ids."""

    camera_id: UUID
    cell: int = 0


@dataclass(frozen=True)
class Filters:
    """The conditions on listed cameras, which must all hold; None or "" sets no condition."""

    region: str = ""
    function: AiFunction | None = None
    kind: CameraKind | None = None
    status: CameraStatus | None = None
    circle: Circle | None = None
    with_retired: bool = False
    serial_or_name: str = ""

    @property
    def is_by_cell(self) -> bool:
        """Whether the list is in the order of the cells of places, and not of ids."""
        return self.circle is not None


async def page(
    tx: Tx, filters: Filters, *, after: Place | None, size: int, known: Known
) -> list[Camera]:
    """Return the first `size` cameras after `after` that match the filters."""
    is_watched = (await tx.read(_BEGIN, **known.parameters))[0].is_watched
    if filters.status in ALIVE and not is_watched:
        return []  # nobody knows who is
    conditions = _conditions(filters, is_watched=is_watched)
    if filters.circle is not None:
        found = _in_cells(filters.circle, conditions, after, size)
    elif filters.serial_or_name:
        found = _by_id(cameras, conditions, after, size)
    else:
        found = _in_regions(_regions(tx, filters), filters, conditions, after, size)
    rows = await tx.execute(_with_life(found, by_cell=filters.is_by_cell))
    return [known_camera(row, is_watched=is_watched) for row in rows]


# A plan for any values of the parameters reads a large region as if it were small, so the statement
# of a page is planned anew.
_BEGIN = Read(
    select(
        life.is_watched().label("is_watched"),
        func.set_config("plan_cache_mode", "force_custom_plan", True).label("plan_cache_mode"),
    )
)


def place_of(camera: Camera) -> Place:
    """Where a page ends whose last camera this is."""
    return Place(camera.camera_id, cell_of(*camera.description.place.point))


def _regions(tx: Tx, filters: Filters) -> list[str]:
    """The regions whose cameras are to be read; row-level security drops what is not seen."""
    if filters.region:
        return [filters.region]
    return list(REGIONS) if tx.scope.sees_all_regions else list(tx.scope.regions)


def _with_life(found: Select[Any], *, by_cell: bool) -> Select[Any]:
    """The found cameras in their order, with the moments of their last heartbeats."""
    listed = found.subquery("listed")
    order = (listed.c.cell, listed.c.camera_id) if by_cell else (listed.c.camera_id,)
    return (
        select(listed, heard.c.heard_at)
        .outerjoin_from(listed, heard, heard.c.camera_id == listed.c.camera_id)
        .order_by(*order)
    )


def _by_id(table: Any, conditions: list[Any], after: Place | None, size: int) -> Select[Any]:
    """The first cameras in the order of their ids; `table` is `cameras` or a join with it."""
    query = select(cameras).select_from(table).where(*conditions)
    if after is not None:
        query = query.where(cameras.c.camera_id > after.camera_id)
    return query.order_by(cameras.c.camera_id).limit(size)


def _in_regions(
    regions: list[str], filters: Filters, conditions: list[Any], after: Place | None, size: int
) -> Select[Any]:
    """The first cameras of each region, and of these the first."""
    region = (
        func.unnest(bindparam("regions", regions, type_=ARRAY(Text)))
        .table_valued("code", name="region")
        .render_derived()
    )
    if filters.function is None:
        each = _by_id(cameras, [cameras.c.region == region.c.code, *conditions], after, size)
    else:
        each = _with_function(filters.function, region.c.code, conditions, after, size)
    first = each.correlate(region).lateral("first")
    chosen = select(first).select_from(region.join(first, true()))
    return chosen.order_by(first.c.camera_id).limit(size)


def _with_function(
    function: AiFunction,
    region: ColumnElement[str],
    conditions: list[Any],
    after: Place | None,
    size: int,
) -> Select[Any]:
    of = camera_functions
    query = (
        select(cameras)
        .join_from(of, cameras, cameras.c.camera_id == of.c.camera_id)
        .where(of.c.region == region, of.c.function == function.value, *conditions)
    )
    if after is not None:
        query = query.where(of.c.camera_id > after.camera_id)
    return query.order_by(of.c.camera_id).limit(size)


def _in_cells(circle: Circle, conditions: list[Any], after: Place | None, size: int) -> Select[Any]:
    """The first cameras of each range of cells, until a page is full.

    The ranges are read one after another in their order, so no order is asked for as a whole: that
    would read a page of every range.
    """
    start = after.cell if after else 0
    ranges = [(low, high) for low, high in circle.cells(CELL_RESOLUTION) if high >= start]
    lows, highs = zip(*ranges, strict=True) if ranges else ((), ())
    given = (
        func.unnest(
            bindparam("lows", list(lows), type_=ARRAY(BigInteger)),
            bindparam("highs", list(highs), type_=ARRAY(BigInteger)),
        )
        .table_valued("low", "high", name="cells")
        .render_derived()
    )
    inside = cameras.c.cell.between(given.c.low, given.c.high)
    query = select(cameras).where(inside, _distance(circle) <= circle.radius_metres, *conditions)
    if after is not None:
        later = tuple_(cameras.c.cell, cameras.c.camera_id) > tuple_(after.cell, after.camera_id)
        query = query.where(later)
    each = query.order_by(cameras.c.cell, cameras.c.camera_id).limit(size)
    first = each.correlate(given).lateral("first")
    return select(first).select_from(given.join(first, true())).limit(size)


def _distance(circle: Circle) -> ColumnElement[float]:
    """The haversine distance of a camera from the centre, in metres."""
    half_height = func.radians(cameras.c.latitude - circle.latitude) / 2
    half_width = func.radians(cameras.c.longitude - circle.longitude) / 2
    chord = func.power(func.sin(half_height), 2) + func.cos(
        func.radians(circle.latitude)
    ) * func.cos(func.radians(cameras.c.latitude)) * func.power(func.sin(half_width), 2)
    distance: ColumnElement[float] = (
        2 * EARTH_RADIUS_METRES * func.asin(func.sqrt(func.least(1.0, chord)))
    )
    return distance


def _conditions(filters: Filters, *, is_watched: bool) -> list[Any]:
    conditions: list[Any] = []
    if filters.region:
        conditions.append(cameras.c.region == filters.region)
    if filters.function is not None and filters.circle is not None:
        conditions.append(cameras.c.functions.contains([filters.function.value]))
    if filters.kind is not None:
        conditions.append(cameras.c.kind == filters.kind.value)
    if filters.status is not None:
        stored = _stored_as(filters.status, is_watched=is_watched)
        conditions.append(cameras.c.status.in_(stored))
    if called := filters.serial_or_name:
        by_name = cameras.c.name_folded == name_folded(called)
        conditions.append(or_(cameras.c.serial_folded == folded(called), by_name))
    if not filters.with_retired and filters.status is not CameraStatus.RETIRED:
        conditions.append(cameras.c.retired_at.is_(literal_column("NULL")))
    return conditions


def _stored_as(status: CameraStatus, *, is_watched: bool) -> list[str]:
    """The stored statuses of the cameras that are answered with `status`."""
    if status is CameraStatus.UNKNOWN and not is_watched:
        return [each.value for each in (CameraStatus.UNKNOWN, *ALIVE)]
    return [status.value]
