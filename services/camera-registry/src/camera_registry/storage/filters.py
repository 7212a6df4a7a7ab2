"""The filters and the sort order of camera lists, and their SQL conditions and parameters."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from camera_registry.letters import in_order, name_order
from camera_registry.model.area import EARTH_RADIUS_METRES, Area, Box, Circle, Polygon
from camera_registry.model.camera import Camera
from camera_registry.model.description import AiFunction, CameraKind, SiteCategory
from camera_registry.model.status import REPORTED, CameraStatus
from camera_registry.serials import folded
from camera_registry.storage.tables import cameras, cell_of, name_folded

# Before every camera's.
LEAST_ID = UUID(int=0)
# After every text that begins so, in the order of code points.
_LAST = "\U0010ffff"
# Of the sides of a polygon: where each begins and where it ends.
_SIDE = ("side_latitude", "side_longitude", "end_latitude", "end_longitude")


@dataclass(frozen=True)
class Place:
    """The sort key of the last camera on a page of a list.

    A list is sorted by id alone, by `cell` and then id, or by `text` and then id. The field `text`
    is the sort key of the camera's name, or the KATO code of its administrative area.
    """

    camera_id: UUID
    cell: int = 0
    text: str = ""


@dataclass(frozen=True)
class Filters:
    """The conditions on listed cameras, which must all hold; None or "" sets no condition.

    At most one of `circle`, `box` and `polygon` is set, and none if the list is `by_name`.
    """

    region: str = ""
    function: AiFunction | None = None
    kind: CameraKind | None = None
    status: CameraStatus | None = None
    circle: Circle | None = None
    with_retired: bool = False
    serial_or_name: str = ""
    box: Box | None = None
    polygon: Polygon | None = None
    owner_bin: str = ""
    site_category: SiteCategory | None = None
    text: str = ""
    kato_prefix: str = ""
    by_name: bool = False
    # Of a person; no condition of `conditions_of`, for its hash needs keys.
    owner_iin: str = field(default="", repr=False)

    @property
    def area(self) -> Area | None:
        return self.circle or self.box or self.polygon

    @property
    def sorted_by(self) -> str:
        """The column by which the list is sorted; cameras with equal values are sorted by id."""
        if self.area is not None:
            return "cell"
        if self.by_name:
            return "name_order"
        return "kato" if self.kato_prefix else "camera_id"

    @property
    def includes_retired(self) -> bool:
        return self.with_retired or self.status is CameraStatus.RETIRED

    @property
    def words(self) -> list[str]:
        """The words to search for; the last may be only the beginning of a word."""
        return in_order(self.text)

    def place_of(self, camera: Camera) -> Place:
        """Return the sort key of a camera, after which the next page of the list begins."""
        given = camera.description
        text = given.place.kato
        if self.sorted_by == "name_order":
            text = name_order(name_folded(given.name))
        by_text = self.sorted_by in ("name_order", "kato")
        return Place(camera.camera_id, cell_of(*given.place.point), text if by_text else "")


def values_of(filters: Filters, *, is_watched: bool) -> dict[str, Any]:
    """The SQL parameters, by name, of the filters that are set.

    `conditions_of` finds the conditions by these names. `is_watched` is the value of the condition
    `life.is_watched`.
    """
    values: dict[str, Any] = {}
    for name in ("function", "kind", "site_category"):
        if (given := getattr(filters, name)) is not None:
            values[name] = given.value
    if filters.status is not None:
        if filters.status is CameraStatus.UNKNOWN and not is_watched:
            values["statuses"] = [each.value for each in (CameraStatus.UNKNOWN, *REPORTED)]
        else:
            values["status"] = filters.status.value
    if called := filters.serial_or_name:
        values |= {"serial": folded(called), "name": name_folded(called)}
    if filters.owner_bin:
        values["owner_bin"] = filters.owner_bin
    if prefix := filters.kato_prefix:
        values |= {"kato": prefix, "kato_end": prefix + _LAST}
    if words := filters.words:
        values |= {"words": words[:-1], "prefix": words[-1]}
    return values | (shape_values(filters.area) if filters.area else {})


def shape_values(area: Area) -> dict[str, Any]:
    """The SQL parameters, by name, of the condition `within_area` for this area."""
    if isinstance(area, Circle):
        return asdict(area)
    if isinstance(area, Box):
        return {**asdict(area), "crosses": area.east < area.west}
    sides = [(*start, *end) for start, end in pairwise(area.ring)]
    ends = dict(zip(_SIDE, map(list, zip(*sides, strict=True)), strict=True))
    return {**ends, "ring_west": area.west}


def conditions_of(given: frozenset[str], *, with_retired: bool) -> list[ColumnElement[bool]]:
    """The SQL conditions whose parameters are named in `given`.

    The condition on the area is made by `within_area` instead. Unless `with_retired`, the condition
    that a camera is not retired is added.
    """
    found = [condition for name, condition in _CONDITIONS.items() if name in given]
    return found if with_retired else [*found, cameras.c.retired_at.is_(None)]


def within_area(given: frozenset[str]) -> ColumnElement[bool]:
    """The SQL condition that a camera is within an area.

    `given` has the names of the parameters that `shape_values` returns for the area.
    """
    if "radius_metres" in given:
        metres = distance(cameras.c.latitude, cameras.c.longitude)
        return metres <= bindparam("radius_metres", type_=Double)
    return _within_box() if "south" in given else _within_polygon()


def distance(of_latitude: Any, of_longitude: Any) -> ColumnElement[float]:
    """The SQL expression for the haversine distance of a place from a circle's centre, in metres.

    The arguments are the columns of the place. The centre is in the SQL parameters `latitude` and
    `longitude`.
    """
    latitude, longitude = (bindparam(name, type_=Double) for name in ("latitude", "longitude"))
    half_height = func.radians(of_latitude - latitude) / 2
    half_width = func.radians(of_longitude - longitude) / 2
    chord = func.power(func.sin(half_height), 2) + func.cos(func.radians(latitude)) * func.cos(
        func.radians(of_latitude)
    ) * func.power(func.sin(half_width), 2)
    found: ColumnElement[float] = (
        2 * EARTH_RADIUS_METRES * func.asin(func.sqrt(func.least(1.0, chord)))
    )
    return found


def _within_box() -> ColumnElement[bool]:
    south, west, north, east = (
        bindparam(name, type_=Double) for name in ("south", "west", "north", "east")
    )
    longitude = cameras.c.longitude
    past_west, before_east = longitude >= west, longitude <= east
    crosses: Any = bindparam("crosses")
    across = and_(crosses, or_(past_west, before_east))
    between = or_(and_(past_west, before_east), across)
    return and_(cameras.c.latitude.between(south, north), between)


def _within_polygon() -> ColumnElement[bool]:
    """Whether a line from the place to the east crosses an odd number of sides."""
    sides = func.unnest(*(bindparam(name, type_=ARRAY(Double)) for name in _SIDE))
    side: Any = sides.table_valued(*_SIDE, name="side").render_derived()
    south, west, north, east = (side.c[name] for name in _SIDE)
    latitude = cameras.c.latitude
    ring_west = bindparam("ring_west", type_=Double)
    longitude = cameras.c.longitude + case((cameras.c.longitude < ring_west, 360.0), else_=0.0)
    share = (latitude - south) / func.nullif(north - south, 0)
    crossed = and_(
        (south > latitude) != (north > latitude), longitude < west + share * (east - west)
    )
    number = select(func.count()).select_from(side).where(crossed).scalar_subquery()
    return number % 2 == 1


def _has_words() -> ColumnElement[bool]:
    word = func.unnest(cameras.c.words).column_valued("word")
    begins = select(word).where(func.starts_with(word, bindparam("prefix", type_=Text)))
    return and_(cameras.c.words.contains(bindparam("words", type_=ARRAY(Text))), exists(begins))


_CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "kind": cameras.c.kind == bindparam("kind"),
    "status": cameras.c.status == bindparam("status"),
    "serial": or_(
        cameras.c.serial_folded == bindparam("serial"), cameras.c.name_folded == bindparam("name")
    ),
    "statuses": cameras.c.status == func.any(bindparam("statuses", type_=ARRAY(Text))),
    "function": bindparam("function", type_=Text) == func.any(cameras.c.functions),
    "owner_bin": cameras.c.owner_bin == bindparam("owner_bin"),
    "site_category": cameras.c.site_category == bindparam("site_category"),
    "kato": and_(cameras.c.kato >= bindparam("kato"), cameras.c.kato < bindparam("kato_end")),
    "prefix": _has_words(),
}
