"""How long calls took inside a service, by their spans: without gRPC, TLS and the caller."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.clock import real_clock
from tartip_cli.telemetry.spans import SpanFiles

from tartip_bench.bench_mesh import BenchMesh

# Services export their spans twice a second.
_EXPORTED_SECONDS = 2.0


@dataclass(frozen=True)
class Period:
    """The begin and end of a measurement, in nanoseconds since the epoch."""

    began: int
    ended: int


def now() -> int:
    """The time in nanoseconds since the epoch."""
    return int(real_clock().timestamp() * 1e9)


async def inside(
    bench: BenchMesh, names: Sequence[str], periods: Sequence[Period]
) -> list[list[float]]:
    """Return, for each period, the durations in milliseconds of the spans that began in it.

    `names` are the names of the spans that count, such as
    "tartip.cameras.v1.CameraRegistry/ListCameras".
    """
    await asyncio.sleep(_EXPORTED_SECONDS)
    spans = SpanFiles(bench.mesh.home.spans).spans_mentioning(names)
    found = sorted((span.start_ns, span.duration_ms) for span in spans if span.name in names)
    began = [start for start, _ in found]
    return [
        [took for _, took in found[bisect_left(began, of.began) : bisect_right(began, of.ended)]]
        for of in periods
    ]
