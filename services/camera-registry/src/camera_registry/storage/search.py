"""Lists cameras that match filters, page by page, by statements that read few rows for each answer.

With row-level security alone, PostgreSQL would read all cameras in the order of the list and drop
most. So the statements name the caller's regions or the cells of an area, and read at most a page
for each region or range of cells, in the order of an index (migration 0014).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from law.regions import REGIONS
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    LargeBinary,
    Select,
    Text,
    Uuid,
    bindparam,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from statements.reads import Read

from camera_registry.keyed import owner_index
from camera_registry.model.area import EARTH_RADIUS_METRES, Circle
from camera_registry.model.camera import ALIVE, Camera, CameraStatus
from camera_registry.model.description import AiFunction, CameraKind
from camera_registry.serials import folded
from camera_registry.storage import life
from camera_registry.storage.cameras import Known, known_camera
from camera_registry.storage.owners import camera_owners
from camera_registry.storage.tables import (
    CELL_RESOLUTION,
    camera_functions,
    cameras,
    cell_of,
    name_folded,
)
from camera_registry.storage.tables import life as heard

# Before every camera's.
_LEAST_ID = UUID(int=0)


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
    owner_iin: str = field(default="", repr=False)

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
    values = _values(filters, after, is_watched=is_watched)
    if filters.owner_iin:
        values["owner_index"] = owner_index(tx.keys, filters.owner_iin)
    with_retired = filters.with_retired or filters.status is CameraStatus.RETIRED
    statement = _statement(frozenset(values), with_retired=with_retired)
    rows = await tx.read(statement, **values, regions=_regions(tx, filters), size=size)
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
    return list(REGIONS) if tx.scope.sees_all_regions else sorted(set(tx.scope.regions))


def _values(filters: Filters, after: Place | None, *, is_watched: bool) -> dict[str, Any]:
    """The parameters of the statement of a page; which there are decides which statement it is."""
    values: dict[str, Any] = {}
    if filters.function is not None:
        values["function"] = filters.function.value
    if filters.kind is not None:
        values["kind"] = filters.kind.value
    if filters.status is not None:
        if filters.status is CameraStatus.UNKNOWN and not is_watched:
            values["statuses"] = [each.value for each in (CameraStatus.UNKNOWN, *ALIVE)]
        else:
            values["status"] = filters.status.value
    if called := filters.serial_or_name:
        values |= {"serial": folded(called), "name": name_folded(called)}
    if filters.circle is not None:
        return values | asdict(filters.circle) | _ranges(filters.circle, after)
    return values | {"after_id": after.camera_id if after else _LEAST_ID}


def _ranges(circle: Circle, after: Place | None) -> dict[str, Any]:
    """The ranges of cells of a circle that are left, and after which id in its first cell each
    begins."""
    ranges = [(low, high, _LEAST_ID) for low, high in circle.cells(CELL_RESOLUTION)]
    if after is not None:
        ranges = [each for each in ranges if each[1] >= after.cell]
        if ranges and ranges[0][0] <= after.cell:
            ranges[0] = (after.cell, ranges[0][1], after.camera_id)
    names = ("lows", "highs", "ids")
    return (
        dict(zip(names, map(list, zip(*ranges, strict=True)), strict=True))
        if ranges
        else {name: [] for name in names}
    )


@lru_cache(maxsize=256)
def _statement(given: frozenset[str], *, with_retired: bool) -> Read:
    """The statement of a page with these parameters, compiled once."""
    conditions = [condition for name, condition in _CONDITIONS.items() if name in given]
    if not with_retired:
        conditions.append(cameras.c.retired_at.is_(None))
    if "function" in given:
        conditions.append(bindparam("function", type_=Text) == func.any(cameras.c.functions))
    if "lows" in given:
        return Read(_with_life(_in_cells(conditions), by_cell=True))
    if "owner_index" in given:
        return Read(_with_life(_owned(conditions), by_cell=False))
    if "serial" in given:
        return Read(_with_life(_called(conditions), by_cell=False))
    found = _in_regions(given, conditions, with_retired=with_retired)
    return Read(_with_life(found, by_cell=False))


def _with_life(found: Select[Any], *, by_cell: bool) -> Select[Any]:
    """The found cameras in their order, with the moments of their last heartbeats."""
    listed = found.subquery("listed")
    order = (listed.c.cell, listed.c.camera_id) if by_cell else (listed.c.camera_id,)
    return (
        select(listed, heard.c.heard_at)
        .outerjoin_from(listed, heard, heard.c.camera_id == listed.c.camera_id)
        .order_by(*order)
    )


def _called(conditions: list[Any]) -> Select[Any]:
    """The cameras with a serial number or a name, which are few."""
    query = select(cameras).where(
        cameras.c.region == func.any(_regions_given),
        cameras.c.camera_id > bindparam("after_id"),
        *conditions,
    )
    return query.order_by(cameras.c.camera_id).limit(_SIZE)


def _owned(conditions: list[Any]) -> Select[Any]:
    """The cameras of a person, which are few."""
    of = camera_owners
    query = select(cameras).join_from(of, cameras, cameras.c.camera_id == of.c.camera_id)
    query = query.where(
        of.c.owner_index == _OWNER,
        of.c.camera_id > bindparam("after_id"),
        cameras.c.region == func.any(_regions_given),
        *conditions,
    )
    return query.order_by(of.c.camera_id).limit(_SIZE)


def _in_regions(given: frozenset[str], conditions: list[Any], *, with_retired: bool) -> Select[Any]:
    """The first cameras of each region, and of these the first."""
    code: Any = _region.c.code
    after: Any = bindparam("after_id")
    query = select(cameras).where(*conditions).limit(_SIZE)
    if "function" in given and not with_retired:
        of = camera_functions
        query = query.join_from(of, cameras, cameras.c.camera_id == of.c.camera_id)
        query = query.where(of.c.region == code, of.c.function == bindparam("function"))
        each = query.where(of.c.camera_id > after).order_by(of.c.camera_id)
    elif "status" in given or ("kind" in given and not with_retired):
        query = query.where(cameras.c.region == code, cameras.c.camera_id > after)
        each = query.order_by(cameras.c.camera_id)
    else:
        # As a pair, and no equation: PostgreSQL would take the region's cameras to be spread evenly
        # over all ids, and read all ids in their order.
        pair = tuple_(cameras.c.region, cameras.c.camera_id)
        query = query.where(pair > tuple_(code, after), cameras.c.region <= code)
        each = query.order_by(cameras.c.region, cameras.c.camera_id)
    first = each.correlate(_region).lateral("first")
    chosen = select(first).select_from(_region.join(first, true()))
    return chosen.order_by(first.c.camera_id).limit(_SIZE)


def _in_cells(conditions: list[Any]) -> Select[Any]:
    """The first cameras of each range of cells, in each region, until a page is full.

    The ranges are read one after another in their order, so no order is asked for as a whole: that
    would read a page of every range.
    """
    near = _distance() <= bindparam("radius_metres", type_=Double)
    place = tuple_(cameras.c.cell, cameras.c.camera_id)
    query = select(cameras).where(
        cameras.c.region == _region.c.code,
        cameras.c.cell.between(_cells.c.low, _cells.c.high),
        place > tuple_(_cells.c.low, _cells.c.after_id),
        near,
        *conditions,
    )
    each = query.order_by(cameras.c.cell, cameras.c.camera_id).limit(_SIZE)
    of_region = each.correlate(_region, _cells).lateral("of_region")
    of_range = select(of_region).select_from(_region.join(of_region, true()))
    of_range = of_range.order_by(of_region.c.cell, of_region.c.camera_id).limit(_SIZE)
    first = of_range.correlate(_cells).lateral("first")
    return select(first).select_from(_cells.join(first, true())).limit(_SIZE)


def _distance() -> ColumnElement[float]:
    """The haversine distance of a camera from the centre, in metres."""
    latitude, longitude = (bindparam(name, type_=Double) for name in ("latitude", "longitude"))
    half_height = func.radians(cameras.c.latitude - latitude) / 2
    half_width = func.radians(cameras.c.longitude - longitude) / 2
    chord = func.power(func.sin(half_height), 2) + func.cos(func.radians(latitude)) * func.cos(
        func.radians(cameras.c.latitude)
    ) * func.power(func.sin(half_width), 2)
    distance: ColumnElement[float] = (
        2 * EARTH_RADIUS_METRES * func.asin(func.sqrt(func.least(1.0, chord)))
    )
    return distance


_SIZE = bindparam("size", type_=BigInteger)
_regions_given = bindparam("regions", type_=ARRAY(Text))
_region = func.unnest(_regions_given).table_valued("code", name="region").render_derived()
_cells = (
    func.unnest(
        bindparam("lows", type_=ARRAY(BigInteger)),
        bindparam("highs", type_=ARRAY(BigInteger)),
        bindparam("ids", type_=ARRAY(Uuid)),
    )
    .table_valued("low", "high", "after_id", name="cells")
    .render_derived()
)
_OWNER = bindparam("owner_index", type_=LargeBinary)
_CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "owner_index": cameras.c.camera_id.in_(
        select(camera_owners.c.camera_id).where(camera_owners.c.owner_index == _OWNER)
    ),
    "kind": cameras.c.kind == bindparam("kind"),
    "status": cameras.c.status == bindparam("status"),
    "serial": or_(
        cameras.c.serial_folded == bindparam("serial"), cameras.c.name_folded == bindparam("name")
    ),
    "statuses": cameras.c.status == func.any(bindparam("statuses", type_=ARRAY(Text))),
}
