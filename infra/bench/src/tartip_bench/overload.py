"""Measures the gateway while it is sent five times as many pictures as it can analyse. Pictures of
urgent cameras must be served; others may be refused.

Each picture is sent when it is due, even if earlier ones are not answered yet. Its latency counts
from the moment at which it was due.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chassis.channels import peers_refusals
from chassis.clock import new_id, system_clock
from chassis.refusals import Refusal
from tartip.inference.v1 import functions_pb2, inference_pb2, inference_pb2_grpc
from tartip_cli.topology import INFERENCE_GATEWAY

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.pictures import AT_ONCE, rate_of
from tartip_bench.run import Run
from tartip_bench.watching import configure

TIMES = 5.0
URGENT_SHARE = 0.3
"""The rate at which urgent pictures are sent, as a share of the capacity. It is below one, so that
the gateway can serve all of them."""
DEADLINE_SECONDS = 5.0
RECOVERY_SECONDS = 10.0
KEPT = 0.99
_BEFORE_SHARE = 0.5
_CALL_SECONDS = 30.0
_SHED = "OVERLOADED"


@dataclass
class Flow:
    """The outcomes of all pictures of one urgency. The field `seconds` holds the latencies of the
    answered pictures. The field `refused` counts the other pictures by reason."""

    offered: int = 0
    seconds: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def accounted_for(self) -> bool:
        return self.offered == len(self.seconds) + self.refused.total()

    @property
    def in_time(self) -> float:
        """The share (0 to 1) of all sent pictures that were answered within DEADLINE_SECONDS."""
        in_time = sum(1 for seconds in self.seconds if seconds <= DEADLINE_SECONDS)
        return in_time / max(1, self.offered)

    def percentile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    @property
    def summary(self) -> str:
        refused = ", ".join(f"{count} {reason}" for reason, count in self.refused.items())
        return f"{self.offered} = {len(self.seconds)} answered + {refused or 'none refused'}"


async def measure(run: Run) -> Outcome:
    bench = await run.bench_mesh()
    pictures = [path.read_bytes() for path in run.scenes(6)]
    urgent, normal = await _camera(bench, urgent=True), await _camera(bench, urgent=False)
    run.report("capacity")
    rounds = run.sized(full=8, quick=3)
    capacity = await rate_of(bench, normal, pictures * rounds, at_once=AT_ONCE)
    load = _Load(bench, itertools.cycle(pictures))
    run.report(f"half of the capacity of {capacity:.2f} pictures a second")
    calm = Flow()
    await load.send(((normal, calm, capacity * _BEFORE_SHARE),), run.sized(full=20, quick=10))
    await load.settled()
    seconds = run.sized(full=120, quick=30)
    run.report(f"{TIMES:g} times the capacity for {seconds} s")
    first, rest = Flow(), Flow()
    await load.send(
        (
            (urgent, first, capacity * URGENT_SHARE),
            (normal, rest, capacity * (TIMES - URGENT_SHARE)),
        ),
        seconds,
    )
    run.report("recovery")
    usual = max(2 * calm.percentile(0.95), 1.0)
    recovery = await _recovery(load, normal, usual)
    await load.settled()
    return Outcome(
        part="overload",
        title=f"{TIMES:g} times the capacity of {capacity:.2f} pictures a second for {seconds} s",
        figures=_figures(first, rest, capacity * seconds, recovery),
        notes=(
            f"At half of the capacity: median {calm.percentile(0.5):.2f} s, p95 "
            f"{calm.percentile(0.95):.2f} s. Times run from when a picture was due.",
        ),
        raw={
            "capacity": capacity,
            "urgent_seconds": first.seconds,
            "rest_seconds": rest.seconds,
            "urgent_refused": dict(first.refused),
            "rest_refused": dict(rest.refused),
        },
    )


def _figures(first: Flow, rest: Flow, due: float, recovery: float | None) -> tuple[Figure, ...]:
    """Figures of the urgent pictures and the rest; `due` is what the capacity could answer."""
    return (
        Figure(
            name=f"urgent: answered within {DEADLINE_SECONDS:g} s of being due",
            measured=f"{first.in_time:.1%} of {first.offered} "
            f"(median {first.percentile(0.5):.2f} s, p99 {first.percentile(0.99):.2f} s)",
            target=f"at least {KEPT:.0%}",
            met=first.in_time >= KEPT,
        ),
        Figure(
            name="the rest: answered or refused by name",
            measured=rest.summary,
            target="none lost, shed as OVERLOADED",
            met=rest.accounted_for and set(rest.refused) <= {_SHED},
        ),
        Figure(
            name="goodput beside the capacity",
            measured=f"{(len(first.seconds) + len(rest.seconds)) / due:.2f}",
        ),
        Figure(
            name="recovery: answers as quick as at half of the capacity",
            measured=f"{recovery:.1f} s" if recovery is not None else "not in 30 s",
            target=f"within {RECOVERY_SECONDS:g} s",
            met=recovery is not None and recovery <= RECOVERY_SECONDS,
        ),
    )


async def _camera(bench: BenchMesh, *, urgent: bool) -> str:
    camera = await bench.camera()
    functions = functions_pb2.CameraFunctions(
        urgency=functions_pb2.URGENCY_URGENT if urgent else functions_pb2.URGENCY_NORMAL
    )
    functions.plates.SetInParent()
    await configure(bench, camera, functions)
    return camera


@dataclass
class _Load:
    bench: BenchMesh
    pictures: Iterator[bytes]
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, flows: Sequence[tuple[str, Flow, float]], seconds: float) -> None:
        """Send pictures for `seconds`; a flow is (camera id, outcomes, pictures per second)."""
        async with asyncio.TaskGroup() as group:
            for camera, outcomes, rate in flows:
                group.create_task(self._flow(camera, outcomes, rate, seconds))

    async def settled(self) -> None:
        """Wait until every picture that was sent has been answered or refused."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def send_picture(self, camera: str, outcomes: Flow, due: float) -> None:
        stub = inference_pb2_grpc.InferenceStub(
            self.bench.outside.as_device("edge-1", INFERENCE_GATEWAY)
        )
        request = inference_pb2.IngestFrameRequest(
            frame_id=str(new_id()), camera_id=camera, picture=next(self.pictures)
        )
        request.captured_at.FromDatetime(system_clock().replace(tzinfo=None))
        outcomes.offered += 1
        try:
            with peers_refusals():
                await stub.IngestFrame(request, timeout=_CALL_SECONDS)
        except Refusal as refusal:
            outcomes.refused[refusal.reason] += 1
        else:
            outcomes.seconds.append(asyncio.get_running_loop().time() - due)

    async def _flow(self, camera: str, outcomes: Flow, rate: float, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            task = asyncio.ensure_future(self.send_picture(camera, outcomes, due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)


async def _recovery(load: _Load, camera: str, usual: float) -> float | None:
    """Seconds from the end of the overload until three answers in a row are as fast as usual."""
    loop = asyncio.get_running_loop()
    began, quick = loop.time(), 0
    since = began
    while loop.time() - began < 3 * RECOVERY_SECONDS:
        sent, outcome = loop.time(), Flow()
        await load.send_picture(camera, outcome, sent)
        if outcome.seconds and statistics.mean(outcome.seconds) <= usual:
            quick += 1
            if quick == 1:
                since = sent
            if quick == 3:
                return since - began
        else:
            quick = 0
            await asyncio.sleep(0.2)
    return None
