"""Compares the speed of Triton with that of ONNX Runtime running the same ONNX model in a process
without a server."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tartip_bench import bare
from tartip_bench.bare import RecordedRequest
from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.outcomes import Figure, Outcome, Spread
from tartip_bench.run import Run

MODEL = "object_detector"
AT_ONCE = 4
TARGET = 0.9
_SECONDS = 120


async def measure(run: Run) -> Outcome:
    bench = await run.bench_mesh()
    plan = (await bare.recorded(bench, run.scenes(1)))[0]
    request = next(call for call in plan if call.model == MODEL)
    times, rounds = run.sized(full=100, quick=30), run.sized(full=9, quick=5)
    ours, alone = [], []
    async with bare.triton_client(bench) as client, _alone(bench, request) as in_process:
        await in_process(5)
        await _through_triton(client, request, 5)
        for place in range(rounds):
            run.report(f"pair {place + 1} of {rounds}")
            if place % 2:
                ours.append(await _through_triton(client, request, times))
                alone.append(await in_process(times))
            else:
                alone.append(await in_process(times))
                ours.append(await _through_triton(client, request, times))
    ratio = Spread.of([through / inside for through, inside in zip(ours, alone, strict=True)])
    shape = "x".join(str(side) for side in request.tensor.shape)
    return Outcome(
        part="detector",
        title=f"Triton itself: {MODEL}, {shape}, {AT_ONCE} requests at once",
        figures=(
            Figure(
                name="pictures a second",
                measured=Spread.of(ours).text(1),
                bare=Spread.of(alone).text(1),
            ),
            Figure(
                name="share of the ONNX in process",
                measured=ratio.text(2),
                target=f"at least {TARGET}",
                met=ratio.median >= TARGET,
            ),
        ),
        raw={"triton": ours, "in_process": alone},
    )


async def _through_triton(client: Any, request: RecordedRequest, times: int) -> float:
    """Pictures a second through Triton."""
    waiting = iter(range(times))

    async def work() -> None:
        for _ in waiting:
            await client.infer(request.model, request.inputs)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return times / (time.perf_counter() - began)


@asynccontextmanager
async def _alone(bench: BenchMesh, request: RecordedRequest) -> AsyncIterator[Any]:
    """Yield a function that runs the model `times` times and returns pictures a second."""
    triton = bench.mesh.settings.checkout / ".triton"
    model = triton / "models" / MODEL
    tensor = bench.folder / "tensor.npy"
    np.save(tensor, request.tensor)
    process = await asyncio.create_subprocess_exec(
        str(triton / "venv" / "bin" / "python"),
        str(bench.mesh.settings.checkout / "infra/triton/onnx_alone.py"),
        str(model / "1" / "model.onnx"),
        str(tensor),
        str(_instances(model)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None and process.stdout is not None
    questions, answers = process.stdin, process.stdout

    async def rate(times: int) -> float:
        questions.write(f"{times}\n".encode())
        line = await asyncio.wait_for(answers.readline(), _SECONDS)
        return times / float(line)

    try:
        yield rate
    finally:
        questions.close()
        await process.wait()


def _instances(model: Path) -> int:
    """The number of Triton's sessions, so that the servers and not the cores are compared."""
    found = re.search(r"count:\s*(\d+)", (model / "config.pbtxt").read_text())
    return int(found[1]) if found else 1
