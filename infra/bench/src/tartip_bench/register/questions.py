"""Queries of the camera register, each with a bare SQL statement for comparison.

The bare statements read a copy of the table of cameras, without row-level security. The copy has
the indexes of the original, and two more: for texts and for places.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import asyncpg
import h3.api.basic_int as h3
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2
from tartip_cli.provision.vehicles import synthetic_iin

PAGE = 50
REGION = "KZ-75"
_CENTRE = (43.24, 76.95)
# H3 resolutions: of the register's column `cell`, and by radius in metres of the bare statement's.
_KEPT = 9
_SEARCHED = {500: 9, 5_000: 8, 50_000: 5}
# A person to whom `with_a_person` gives cameras.
PERSON = synthetic_iin(random.Random(1))
_OF_PERSON = 2 * PAGE
_BARE_TEXT = "to_tsvector('simple', name || ' ' || site || ' ' || address)"
_BARE_PLACE = "point(longitude, latitude)"
# Made after the bare COPY was timed, which has the register's own indexes.
BARE_TABLES = f"""
    CREATE TABLE bare_functions AS TABLE camera_registry.camera_functions;
    CREATE INDEX ON bare_functions (region, function, camera_id);
    CREATE TABLE bare_owners AS TABLE camera_registry.camera_owners;
    CREATE INDEX ON bare_owners (owner_index, camera_id);
    CREATE INDEX ON bare_cameras USING gin ({_BARE_TEXT});
    CREATE INDEX ON bare_cameras USING gist ({_BARE_PLACE});
"""
Ask = Callable[[], Awaitable[int]]


@dataclass(frozen=True)
class Question:
    """A query of the camera register: its request, and a bare SQL statement with parameters."""

    name: str
    request: pb.ListCamerasRequest | pb.FindNearestCamerasRequest
    statement: str
    parameters: tuple[Any, ...] = ()
    # Whether only those may ask who may learn which person owns a camera.
    is_of_person: bool = False


@dataclass(frozen=True)
class Times:
    """The durations of all calls of one query in milliseconds. The field `rows` is the number of
    cameras in one answer."""

    rows: int
    milliseconds: Sequence[float]

    def percentile(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @property
    def text(self) -> str:
        return f"p50 {self.percentile(0.5):.1f} ms, p99 {self.percentile(0.99):.1f} ms"


def a_local_owner(table: str) -> str:
    """Return an SQL query for the BIN of an organisation that owns cameras in REGION, by the rows
    of a table of cameras."""
    return f"SELECT owner_bin FROM {table} WHERE region = '{REGION}' AND owner_bin <> '' LIMIT 1"


def questions(owner: str) -> list[Question]:
    """Return one query of each kind, to be sent by operators who see only REGION. `owner` is the
    BIN (business number) of an organisation that owns cameras in this region."""
    page = common_pb2.Page(size=PAGE)
    in_region = "FROM bare_cameras WHERE region = $1 AND retired_at IS NULL"
    ordered = f"ORDER BY camera_id LIMIT {PAGE}"
    found = [
        Question(
            "a region",
            pb.ListCamerasRequest(region=REGION, page=page),
            f"SELECT * {in_region} {ordered}",
            (REGION,),
        ),
        Question(
            "a kind",
            pb.ListCamerasRequest(kind=pb.CAMERA_KIND_RED_LIGHT, page=page),
            f"SELECT * {in_region} AND kind = 'RED_LIGHT' {ordered}",
            (REGION,),
        ),
        Question(
            "a kind that no camera is of",
            pb.ListCamerasRequest(kind=pb.CAMERA_KIND_BODY, page=page),
            f"SELECT * {in_region} AND kind = 'BODY' {ordered}",
            (REGION,),
        ),
        Question(
            "a function",
            pb.ListCamerasRequest(function=pb.AI_FUNCTION_CROWD, page=page),
            "SELECT bare_cameras.* FROM bare_functions AS of"
            " JOIN bare_cameras USING (camera_id) WHERE of.region = $1 AND of.function = 'CROWD'"
            f" ORDER BY of.camera_id LIMIT {PAGE}",
            (REGION,),
        ),
        Question(
            "a status",
            pb.ListCamerasRequest(status=pb.CAMERA_STATUS_OFFLINE, page=page),
            f"SELECT * {in_region} AND status = 'OFFLINE' {ordered}",
            (REGION,),
        ),
        Question(
            "a name",
            pb.ListCamerasRequest(serial_or_name="Station 7, camera 1", page=page),
            f"SELECT * FROM bare_cameras WHERE name_folded = $1 {ordered}",
            ("station 7, camera 1",),
        ),
    ]
    return [*found, *_described(owner), *_with_words(), *_in_shapes()]


def _described(owner: str) -> list[Question]:
    """By owner, site category and district, and in the order of names."""
    page = common_pb2.Page(size=PAGE)
    in_region = "SELECT * FROM bare_cameras WHERE region = $1 AND retired_at IS NULL"
    ordered = f"ORDER BY camera_id LIMIT {PAGE}"
    return [
        Question(
            "an owner",
            pb.ListCamerasRequest(owner_bin=owner, page=page),
            f"{in_region} AND owner_bin = $2 {ordered}",
            (REGION, owner),
        ),
        Question(
            "an owner who is a person",
            pb.ListCamerasRequest(owner_iin=PERSON, page=page),
            "SELECT bare_cameras.* FROM bare_owners AS of JOIN bare_cameras USING (camera_id)"
            " WHERE of.owner_index = (SELECT owner_index FROM bare_owners LIMIT 1)"
            f" AND region = $1 AND retired_at IS NULL {ordered}",
            (REGION,),
            is_of_person=True,
        ),
        Question(
            "a site category",
            pb.ListCamerasRequest(site_category=pb.SITE_CATEGORY_STRATEGIC, page=page),
            f"{in_region} AND site_category = 'STRATEGIC' {ordered}",
            (REGION,),
        ),
        Question(
            "a district without cameras",
            pb.ListCamerasRequest(kato_prefix="7513", page=page),
            f"{in_region} AND kato >= '7513' AND kato < '7514' {ordered}",
            (REGION,),
        ),
        Question(
            "a region in the order of names",
            pb.ListCamerasRequest(region=REGION, order=pb.CAMERA_ORDER_NAME, page=page),
            f"{in_region} ORDER BY name_order, camera_id LIMIT {PAGE}",
            (REGION,),
        ),
    ]


def _with_words() -> list[Question]:
    """By a word that many cameras have, by one that few have, by several, by a part of one."""
    searched = {
        "a common word": ("Almaty", "almaty:*"),
        "a word and a number": ("station 77", "station & 77:*"),
        "three words": ("77 abai camera", "77 & abai & camera:*"),
        "the beginning of a word": ("adminis", "adminis:*"),
        "a word that no camera has": ("lighthouse", "lighthouse:*"),
    }
    return [
        Question(
            name,
            pb.ListCamerasRequest(text=text, page=common_pb2.Page(size=PAGE)),
            f"SELECT * FROM bare_cameras WHERE {_BARE_TEXT} @@ to_tsquery('simple', $2)"
            f" AND region = $1 AND retired_at IS NULL ORDER BY camera_id LIMIT {PAGE}",
            (REGION, query),
        )
        for name, (text, query) in searched.items()
    ]


def _in_shapes() -> list[Question]:
    """In circles, in a box and a polygon of some kilometres; the bare ones by PostgreSQL's own
    geometry in degrees, but for circles; and the nearest."""
    south, west = _CENTRE[0] - 0.01, _CENTRE[1] - 0.015
    north, east = _CENTRE[0] + 0.01, _CENTRE[1] + 0.015
    ring = ((south, west), (north, _CENTRE[1]), (south, east), (_CENTRE[0], _CENTRE[1]))
    page = common_pb2.Page(size=PAGE)
    corners = ",".join(f"({longitude},{latitude})" for latitude, longitude in ring)
    latitude, longitude = _CENTRE
    where = "FROM bare_cameras WHERE retired_at IS NULL AND region = $1"
    return [
        *[_around(metres) for metres in _SEARCHED],
        Question(
            "a box",
            pb.ListCamerasRequest(
                box=pb.Box(south=south, west=west, north=north, east=east), page=page
            ),
            f"SELECT * {where} AND {_BARE_PLACE} <@ '({west},{south}),({east},{north})'::box"
            f" LIMIT {PAGE}",
            (REGION,),
        ),
        Question(
            "a polygon",
            pb.ListCamerasRequest(
                polygon=pb.Polygon(points=[pb.Point(latitude=at, longitude=of) for at, of in ring]),
                page=page,
            ),
            f"SELECT * {where} AND {_BARE_PLACE} <@ '({corners})'::polygon LIMIT {PAGE}",
            (REGION,),
        ),
        Question(
            f"the nearest {PAGE}",
            pb.FindNearestCamerasRequest(latitude=latitude, longitude=longitude, count=PAGE),
            f"SELECT * {where} ORDER BY {_BARE_PLACE} <-> point({longitude}, {latitude})"
            f" LIMIT {PAGE}",
            (REGION,),
        ),
    ]


def _around(metres: int) -> Question:
    """The cameras within a distance of the centre of Almaty; the bare ones in a disk of cells."""
    latitude, longitude = _CENTRE
    area = pb.Area(latitude=latitude, longitude=longitude, radius_metres=metres)
    coarse = _SEARCHED[metres]
    rings = round(metres / h3.average_hexagon_edge_length(coarse, unit="m") / 1.5)
    disk = sorted(h3.grid_disk(h3.latlng_to_cell(*_CENTRE, coarse), rings))
    last = h3.cell_to_children_size(disk[0], _KEPT) - 1
    lows = [h3.child_pos_to_cell(cell, _KEPT, 0) for cell in disk]
    highs = [h3.child_pos_to_cell(cell, _KEPT, last) for cell in disk]
    return Question(
        f"within {metres} m",
        pb.ListCamerasRequest(area=area, page=common_pb2.Page(size=PAGE)),
        "SELECT first.* FROM unnest($1::bigint[], $2::bigint[]) AS cells(low, high)"
        " CROSS JOIN LATERAL (SELECT * FROM bare_cameras WHERE region = $3"
        " AND cell BETWEEN low AND high"
        f" ORDER BY cell, camera_id LIMIT {PAGE}) AS first LIMIT {PAGE}",
        (lows, highs, REGION),
    )


async def timed(ask: Ask, *, calls: int, callers: int = 1, seconds_max: float = math.inf) -> Times:
    """Time `calls` calls of `ask`, made by `callers` concurrent tasks after an untimed warm-up.

    The warm-up and the timed calls each end early after about `seconds_max` seconds. Each makes at
    least one call.
    """
    ends = time.perf_counter() + seconds_max
    for _ in range(max(1, calls // 10)):
        rows = await ask()
        if time.perf_counter() > ends:
            break
    milliseconds: list[float] = []
    ends = time.perf_counter() + seconds_max

    async def caller() -> None:
        while len(milliseconds) < calls:
            began = time.perf_counter()
            await ask()
            milliseconds.append((time.perf_counter() - began) * 1e3)
            if time.perf_counter() > ends:
                return

    await asyncio.gather(*(caller() for _ in range(callers)))
    return Times(rows, milliseconds)


def with_a_person(rows: Iterable[pb.ImportedCamera]) -> Iterator[pb.ImportedCamera]:
    """Yield all rows, with PERSON as the owner of the first 2 * PAGE cameras in REGION. The rows of
    these cameras are changed in place."""
    left = _OF_PERSON
    for row in rows:
        if left and row.description.place.region == REGION:
            row.description.owner_bin, row.description.owner_iin = "", PERSON
            left -= 1
        yield row


def asked(stub: Any, request: Any, operators: Sequence[Any]) -> Ask:
    """Return a function that sends the request to the camera register and returns the number of
    cameras in the answer. `operators` has the call metadata of several operators, who make the
    calls in turn."""
    turns = cycle(operators)
    is_list = isinstance(request, pb.ListCamerasRequest)
    method = stub.ListCameras if is_list else stub.FindNearestCameras

    async def ask() -> int:
        answer = await method(request, metadata=next(turns), timeout=30)
        return len(answer.cameras)

    return ask


def bare(connection: asyncpg.Connection[Any], question: Question) -> Ask:
    async def ask() -> int:
        return len(await connection.fetch(question.statement, *question.parameters))

    return ask
