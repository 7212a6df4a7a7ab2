"""Measures views of the camera map, from the whole country to a street, beside a count in SQL."""

from __future__ import annotations

from typing import Any

import asyncpg
from tartip.cameras.v1 import cameras_pb2 as pb

from tartip_bench.outcomes import Figure
from tartip_bench.register.questions import timed
from tartip_bench.run import Run

# What a screen of about 1,400 by 800 pixels shows, by the zoom of web maps: its south, west, north
# and east.
VIEWS = {
    4: (40.5, 46.0, 55.5, 87.5),
    7: (42.0, 73.0, 45.5, 80.5),
    11: (43.1, 76.6, 43.4, 77.2),
    14: (43.22, 76.9, 43.26, 76.98),
    17: (43.237, 76.945, 43.243, 76.955),
}
VIEW_MS = 200.0
_BARE = (
    "SELECT floor(longitude / $5), floor(latitude / $5), status, count(*) FROM bare_cameras"
    " WHERE latitude BETWEEN $1 AND $3 AND longitude BETWEEN $2 AND $4 AND retired_at IS NULL"
    " GROUP BY 1, 2, 3"
)
# A view is counted in some twenty columns.
_COLUMNS = 20
_BARE_SECONDS = 10.0


async def map_views(
    run: Run, database: asyncpg.Connection[Any], stub: Any, calls: int
) -> list[Figure]:
    """Time `calls` calls of `CountCamerasOnMap` for each view, by a caller who sees all regions;
    return the figures."""
    figures = []
    for zoom, view in VIEWS.items():
        run.report(f"the map at zoom {zoom}")
        south, west, north, east = view
        request = pb.CountCamerasOnMapRequest(
            box=pb.Box(south=south, west=west, north=north, east=east), zoom=zoom
        )
        side = (east - west) / _COLUMNS

        async def ask(request: pb.CountCamerasOnMapRequest = request) -> int:
            return len((await stub.CountCamerasOnMap(request, timeout=30)).clusters)

        async def count(of: tuple[float, ...] = (*view, side)) -> int:
            return len(await database.fetch(_BARE, *of))

        times = await timed(ask, calls=calls)
        beside = await timed(count, calls=calls, seconds_max=_BARE_SECONDS)
        longest = max(times.milliseconds)
        figures.append(
            Figure(
                name=f"the map of all kinds at zoom {zoom}: over gRPC",
                measured=f"{times.text}, longest {longest:.1f} ms ({times.rows:,} clusters)",
                bare=f"{beside.text} ({beside.rows:,} groups)",
                target=f"any under {VIEW_MS:.0f} ms",
                met=longest < VIEW_MS,
            )
        )
    return figures
