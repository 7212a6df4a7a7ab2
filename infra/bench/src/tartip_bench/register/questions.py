"""The questions that are put to the register, each beside a bare statement on a bare table.

The bare table is a copy of the register's with the same indexes and without row-level security.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import asyncpg
import h3.api.basic_int as h3
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

PAGE = 50
REGION = "KZ-75"
_CENTRE = (43.24, 76.95)
# H3 resolutions: of the register's column `cell`, and by radius in metres of the bare statement's.
_KEPT = 9
_SEARCHED = {500: 9, 5_000: 8, 50_000: 5}
Ask = Callable[[], Awaitable[int]]


@dataclass(frozen=True)
class Question:
    """A list of cameras: the request, and the bare statement with its parameters."""

    name: str
    request: pb.ListCamerasRequest
    statement: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Times:
    """How long a question took, in milliseconds, and the number of rows of an answer."""

    rows: int
    milliseconds: Sequence[float]

    def percentile(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @property
    def text(self) -> str:
        return f"p50 {self.percentile(0.5):.1f} ms, p99 {self.percentile(0.99):.1f} ms"


def questions() -> list[Question]:
    """Return a question for every kind of list, to be asked by operators of one region."""
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
            "SELECT bare_cameras.* FROM camera_registry.camera_functions AS of"
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
    return found + [_around(metres) for metres in _SEARCHED]


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


async def timed(ask: Ask, *, calls: int, callers: int = 1) -> Times:
    """Time `calls` calls of `ask`, shared by `callers` tasks, after a tenth as many untimed."""
    for _ in range(max(1, calls // 10)):
        rows = await ask()
    milliseconds: list[float] = []

    async def caller() -> None:
        while len(milliseconds) < calls:
            began = time.perf_counter()
            await ask()
            milliseconds.append((time.perf_counter() - began) * 1e3)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return Times(rows, milliseconds)


def asked(stub: Any, request: pb.ListCamerasRequest, operators: Sequence[Any]) -> Ask:
    """Return a function that sends the request to the register, each time as the next operator.
    `operators` holds the call metadata of each operator."""
    turns = cycle(operators)

    async def ask() -> int:
        answer = await stub.ListCameras(request, metadata=next(turns), timeout=30)
        return len(answer.cameras)

    return ask


def bare(connection: asyncpg.Connection[Any], question: Question) -> Ask:
    async def ask() -> int:
        return len(await connection.fetch(question.statement, *question.parameters))

    return ask
