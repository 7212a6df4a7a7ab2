"""Compares registrations of single cameras with a bare handler that inserts two rows.

One process makes a registration and a bare call alternately, one at a time. It makes fewer than a
hundred registrations a second, since an operator may not make more calls.
"""

from __future__ import annotations

import asyncio
import time
from itertools import islice

from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1.cameras_pb2_grpc import CameraRegistryStub
from tartip_cli.clients import country
from tartip_cli.clients.samples import ADMINISTRATOR
from tartip_cli.supervisor.process import cpu_seconds
from tartip_cli.topology import CAMERA_REGISTRY

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.chassis.load import Call, call_of, channel, read_config
from tartip_bench.chassis.measure import config_of, started
from tartip_bench.chassis.schema import made
from tartip_bench.outcomes import Figure
from tartip_bench.profile import profiled
from tartip_bench.register.questions import Times
from tartip_bench.run import Run

NAME = "a camera registered, one call at a time"
SHARE = 0.7
CALL_SECONDS = 0.011
# Cameras of another country than the one that was imported.
SEED = 2
WARM_UP = 20


async def registrations(run: Run, bench: BenchMesh, calls: int) -> list[Figure]:
    """Time `calls` registrations and as many calls of the bare handler. Returns figures of both
    durations, of the ratio of these durations, and of the processor time per call, and a profile of
    the service."""
    run.report(f"registrations, {calls} times")
    database = await made(bench.mesh.database.url)
    bare = await started("bare", config_of(bench, database, "bare", run.scratch))
    try:
        async with channel(read_config(bare.config)) as opened:
            register = await _register(bench, 2 * calls + WARM_UP)
            write = call_of(opened, "Write")
            await _in_turn(register, write, WARM_UP)
            before = bench.cpu_seconds(CAMERA_REGISTRY.name), cpu_seconds(bare.process.pid)
            ours, theirs = await _in_turn(register, write, calls)
            after = bench.cpu_seconds(CAMERA_REGISTRY.name), cpu_seconds(bare.process.pid)
            async with profiled(bench.pid(CAMERA_REGISTRY.name), run.scratch) as profile:
                stored = await _stored_ms(bench, register, calls)
            stored_bare = await _stored_ms(bench, write, calls)
    finally:
        bare.process.terminate()
        await bare.process.wait()
    spent = [(end - start) / calls * 1e3 for start, end in zip(before, after, strict=True)]
    return [
        *figures_of(ours, theirs, (spent[0], spent[1])),
        Figure(
            name=f"{NAME}: processor time of PostgreSQL a call, with what follows it",
            measured=f"{stored:.2f} ms",
            bare=f"{stored_bare:.2f} ms",
        ),
        profile.figure(NAME),
    ]


async def _stored_ms(bench: BenchMesh, call: Call, calls: int) -> float:
    """PostgreSQL's processor time of a call in milliseconds, events and counts included."""
    before = bench.cpu_seconds("postgres")
    for _ in range(calls):
        due = time.perf_counter() + CALL_SECONDS
        await call()
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return (bench.cpu_seconds("postgres") - before) / calls * 1e3


async def _register(bench: BenchMesh, count: int) -> Call:
    """Return a call that registers the next of `count` cameras."""
    stub = CameraRegistryStub(bench.for_operators(CAMERA_REGISTRY))
    metadata = await bench.speaking(ADMINISTRATOR)
    following = islice(country.cameras(count, SEED), count)

    async def register() -> None:
        given = next(following)
        # Numbers of the imported country may be the same.
        given.description.serial = f"R-{new_id()}"
        request = pb.RegisterCameraRequest(camera_id=str(new_id()), description=given.description)
        await stub.RegisterCamera(request, metadata=metadata, timeout=30)

    return register


async def _in_turn(ours: Call, theirs: Call, calls: int) -> tuple[Times, Times]:
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(calls):
        due = time.perf_counter() + CALL_SECONDS
        for call, milliseconds in zip((ours, theirs), took, strict=True):
            began = time.perf_counter()
            await call()
            milliseconds.append((time.perf_counter() - began) * 1e3)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return Times(1, took[0]), Times(1, took[1])


def figures_of(ours: Times, bare: Times, spent: tuple[float, float]) -> list[Figure]:
    """Return figures that compare registrations (`ours`) with the bare handler. `spent` holds two
    processor times per call, in milliseconds: of the service, and of the bare server."""
    share = bare.percentile(0.5) / ours.percentile(0.5)
    return [
        Figure(name=f"{NAME}: over gRPC", measured=ours.text, bare=bare.text),
        Figure(
            name=f"{NAME}: share of a bare handler with two inserts and a commit, by the medians",
            measured=f"{share:.2f}",
            target=f"at least {SHARE}",
            met=share >= SHARE,
        ),
        Figure(
            name=f"{NAME}: processor time of the server a call",
            measured=f"{spent[0]:.2f} ms",
            bare=f"{spent[1]:.2f} ms",
        ),
    ]
