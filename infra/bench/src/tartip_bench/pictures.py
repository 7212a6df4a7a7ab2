"""Measures how fast the gateway processes pictures, compared with a bare client that sends the same
requests to Triton.

The gateway receives each picture over gRPC, decodes and analyses it, commits the encrypted result
and the event, and answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chassis.channels import peers_refusals
from chassis.clock import new_id, system_clock
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc
from tartip_cli.topology import INFERENCE_GATEWAY

from tartip_bench import bare
from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.outcomes import Figure, Outcome, Spread
from tartip_bench.run import Run

AT_ONCE = 4
TARGET = 0.9
_LOOK_SECONDS = 60.0
_PARTS = ("inference-gateway", "triton", "postgres", "nats")


@dataclass(frozen=True)
class _Pair:
    """A measurement through the gateway and a bare one, on the same pictures."""

    ours: float
    bare: float
    spent: dict[str, float]
    bare_triton: float


async def measure(run: Run) -> Outcome:
    figures, notes, raw = [], [], {}
    for name, pictures in _sets(run):
        pairs = await _compared(run, name, pictures)
        ratio = Spread.of([pair.ours / pair.bare for pair in pairs])
        ours, theirs = (
            Spread.of([pair.ours for pair in pairs]),
            Spread.of([pair.bare for pair in pairs]),
        )
        figures += [
            Figure(name=f"{name}: pictures a second", measured=ours.text(2), bare=theirs.text(2)),
            Figure(
                name=f"{name}: share of the bare loop",
                measured=ratio.text(2),
                target=f"at least {TARGET}",
                met=ratio.median >= TARGET,
            ),
        ]
        notes.append(_costs(name, pairs))
        raw[name] = [vars(pair) for pair in pairs]
    return Outcome(
        part="pictures",
        title=f"Pictures through the gateway, {AT_ONCE} at once",
        figures=tuple(figures),
        notes=tuple(notes),
        raw=raw,
    )


def _sets(run: Run) -> list[tuple[str, list[Path]]]:
    """Drawn scenes, and photographs if there are any."""
    found = [("drawn scenes", run.scenes(run.sized(full=24, quick=12)))]
    photographs = run.photographs(run.sized(full=24, quick=12))
    return found + ([("photographs", photographs)] if photographs else [])


async def _compared(run: Run, name: str, pictures: list[Path]) -> list[_Pair]:
    bench = await run.bench_mesh()
    plans = await bare.recorded(bench, pictures)
    contents = [path.read_bytes() for path in pictures]
    camera = await bench.camera()
    pairs = []
    async with bare.triton_client(bench) as client:
        await bare.rate(client, plans[:AT_ONCE], at_once=AT_ONCE)
        await rate_of(bench, camera, contents[:AT_ONCE], at_once=AT_ONCE)
        times, rounds = run.sized(full=2, quick=1), run.sized(full=5, quick=3)
        for place in range(rounds):
            run.report(f"{name}, pair {place + 1} of {rounds}")
            legs = ("ours", "bare") if place % 2 else ("bare", "ours")
            rates: dict[str, float] = {}
            spent: dict[str, dict[str, float]] = {}
            for leg in legs:
                before = {part: bench.cpu_seconds(part) for part in _PARTS}
                rates[leg] = await (
                    rate_of(bench, camera, contents * times, at_once=AT_ONCE)
                    if leg == "ours"
                    else bare.rate(client, plans * times, at_once=AT_ONCE)
                )
                spent[leg] = {
                    part: (bench.cpu_seconds(part) - before[part]) / len(pictures) / times
                    for part in _PARTS
                }
            pairs.append(
                _Pair(rates["ours"], rates["bare"], spent["ours"], spent["bare"]["triton"])
            )
    return pairs


async def rate_of(
    bench: BenchMesh, camera: str, pictures: Sequence[bytes], *, at_once: int
) -> float:
    """Send the pictures (bytes of JPEG files) to the gateway, `at_once` at a time, and return the
    rate in pictures per second. The gateway answers after it has committed the result."""
    stub = inference_pb2_grpc.InferenceStub(bench.outside.as_device("edge-1", INFERENCE_GATEWAY))
    waiting = iter(pictures)

    async def work() -> None:
        for picture in waiting:
            request = inference_pb2.IngestFrameRequest(
                frame_id=str(new_id()), camera_id=camera, picture=picture
            )
            request.captured_at.FromDatetime(system_clock().replace(tzinfo=None))
            with peers_refusals():
                await stub.IngestFrame(request, timeout=_LOOK_SECONDS)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return len(pictures) / (time.perf_counter() - began)


def _costs(name: str, pairs: list[_Pair]) -> str:
    costs = [
        f"{part} {Spread.of([pair.spent[part] * 1e3 for pair in pairs]).median:.0f}"
        for part in _PARTS
    ]
    alone = Spread.of([pair.bare_triton * 1e3 for pair in pairs]).median
    return (
        f"{name}, processor time a picture in ms: {', '.join(costs)}; Triton under the bare loop "
        f"{alone:.0f}."
    )
