"""`python -m tartip_bench.chassis.load CONFIG METHOD CALLERS SECONDS [RATE]`: times calls.

METHOD is a method of the bench's servers, or PAIR: two calls of WriteShared, timed as one.

CALLERS clients run concurrently, and each waits for an answer before it sends its next call. With
RATE, that many calls per second are sent in total, without waiting for answers. Each call is then
timed from the moment at which it was due.

Prints JSON with the keys `rate` (per second), `p50_ms`, `p99_ms`, `calls`, and `all_calls`
(including the warm-up).
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import uvloop
from chassis.clock import new_id
from google.protobuf.wrappers_pb2 import StringValue

from tartip_bench.chassis.contract import SERVICE
from tartip_bench.chassis.schema import ROWS

CALL_SECONDS = 10.0
WARM_UP_SECONDS = 0.5
PAIR = "Pair"
Call = Callable[[], Awaitable[object]]


def read_config(path: Path) -> dict[str, str]:
    """Read the JSON configuration that a server of the bench and its callers share."""
    config: dict[str, str] = json.loads(path.read_text())
    return config


def channel(config: dict[str, str]) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(
        *(
            Path(config[f"caller_{name}"]).read_bytes()
            for name in ("authority", "key", "certificate")
        )
    )
    return grpc.aio.secure_channel(config["address"], credentials)


def call_of(opened: grpc.aio.Channel, method: str) -> Call:
    stub = opened.unary_unary(
        f"/{SERVICE}/{'WriteShared' if method == PAIR else method}",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )

    def read() -> Awaitable[object]:
        return stub(StringValue(value=str(random.randrange(ROWS))), timeout=CALL_SECONDS)

    def write() -> Awaitable[object]:
        return stub(StringValue(value=str(new_id())), timeout=CALL_SECONDS)

    async def pair() -> None:
        await write()
        await write()

    return {"Read": read, PAIR: pair}.get(method, write)


async def in_turn(call: Call, callers: int, seconds: float) -> list[float]:
    """Make calls with `callers` concurrent clients for `seconds`. Each client makes one call at a
    time. Returns the duration of each call in seconds."""
    took: list[float] = []
    until = time.perf_counter() + seconds

    async def caller() -> None:
        while (began := time.perf_counter()) < until:
            await call()
            took.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return took


async def at_rate(call: Call, rate: float, seconds: float) -> list[float]:
    """Send `rate` calls per second for `seconds`, without waiting for answers. Returns, for each
    call, the seconds from the moment at which it was due to its answer."""
    took: list[float] = []
    began = time.perf_counter()

    async def one(due: float) -> None:
        await call()
        took.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due))
    return took


async def timed_in_turn(call: Call, callers: int, seconds: float) -> tuple[list[float], float, int]:
    """Run `in_turn` after a warm-up. Returns the duration of each call in seconds, the duration of
    the run in seconds, and the number of all calls, including the warm-up."""
    warm = await in_turn(call, callers, WARM_UP_SECONDS)
    began = time.perf_counter()
    took = await in_turn(call, callers, seconds)
    return took, time.perf_counter() - began, len(warm) + len(took)


def print_times(took: list[float], passed: float, all_calls: int) -> None:
    took.sort()
    times = {
        "rate": len(took) / passed,
        "p50_ms": took[len(took) // 2] * 1e3,
        "p99_ms": took[int(len(took) * 0.99)] * 1e3,
        "calls": len(took),
        "all_calls": all_calls,
    }
    print(json.dumps(times))


async def main(
    config: dict[str, str], method: str, callers: int, seconds: float, rate: float
) -> None:
    async with channel(config) as opened:
        call = call_of(opened, method)
        if not rate:
            print_times(*await timed_in_turn(call, callers, seconds))
            return
        warm = await in_turn(call, callers, WARM_UP_SECONDS)
        began = time.perf_counter()
        took = await at_rate(call, rate, seconds)
        print_times(took, time.perf_counter() - began, len(warm) + len(took))


if __name__ == "__main__":
    given = sys.argv[1:]
    uvloop.run(
        main(
            read_config(Path(given[0])),
            given[1],
            int(given[2]),
            float(given[3]),
            float(given[4]) if len(given) > 4 else 0.0,
        )
    )
