"""A client that sends recorded requests to Triton and does nothing else. It is the bare counterpart
of the inference gateway, written with `tritonclient.grpc.aio`.

The requests that the gateway makes for each picture are recorded once. The client then sends
requests with the same tensors. A request that depends on earlier answers is sent after they have
arrived. The gateway and the client process the same number of pictures concurrently.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tartip_cli.failures import Exit, Failure
from tartip_cli.topology import INFERENCE_GATEWAY

from tartip_bench.bench_mesh import BenchMesh

_RECORD_SECONDS = 300
_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@dataclass(frozen=True)
class RecordedRequest:
    """A recorded request to Triton, ready to send. The field `inputs` wraps the image `tensor`.
    Some earlier requests of the same picture must be answered before this one is sent; the field
    `after` has their indices."""

    model: str
    inputs: list[Any]
    after: tuple[int, ...]
    tensor: npt.NDArray[np.uint8]


Plan = tuple[RecordedRequest, ...]


async def recorded(bench: BenchMesh, pictures: Sequence[Path]) -> list[Plan]:
    """Return the requests that the gateway sends to Triton, as one list for each picture. Raises
    Failure if the recording program ends with an error."""
    out = bench.folder / "requests.npz"
    pair = bench.outside.certificates.triton_caller(INFERENCE_GATEWAY.name)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(bench.mesh.settings.checkout / "infra/triton/requests_of.py"),
        "--address",
        triton_address(bench),
        "--certificate",
        str(pair.certificate),
        "--key",
        str(pair.key),
        "--authority",
        str(bench.outside.certificates.authority),
        "--out",
        str(out),
        *map(str, pictures),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), _RECORD_SECONDS)
    if process.returncode != 0:
        raise Failure(f"cannot record requests: {errors.decode()[-500:]}", Exit.PART_FAILED)
    with np.load(out) as archive:
        return [
            tuple(_recorded(request, archive[str(request["tensor"])]) for request in requests)
            for requests in json.loads(str(archive["plan"]))
        ]


def _recorded(request: dict[str, Any], tensor: npt.NDArray[np.uint8]) -> RecordedRequest:
    from tritonclient.grpc import aio as triton

    given = triton.InferInput("image", list(tensor.shape), "UINT8")
    given.set_data_from_numpy(tensor)
    return RecordedRequest(request["model"], [given], tuple(request["after"]), tensor)


def triton_address(bench: BenchMesh) -> str:
    return next(part.address for part in bench.mesh.parts if part.name == "triton")


@asynccontextmanager
async def triton_client(bench: BenchMesh) -> AsyncIterator[Any]:
    from tritonclient.grpc import aio as triton

    pair = bench.outside.certificates.triton_caller(INFERENCE_GATEWAY.name)
    client = triton.InferenceServerClient(
        triton_address(bench),
        ssl=True,
        private_key=str(pair.key),
        root_certificates=str(bench.outside.certificates.authority),
        certificate_chain=str(pair.certificate),
        channel_args=_OPTIONS,
    )
    try:
        yield client
    finally:
        await client.close()


async def rate(client: Any, plans: Sequence[Plan], *, at_once: int) -> float:
    """Send the requests of all pictures (`plans`), and return the rate in pictures per second.
    `at_once` pictures are processed at a time."""
    waiting = iter(plans)

    async def work() -> None:
        for plan in waiting:
            await _send(client, plan)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return len(plans) / (time.perf_counter() - began)


async def _send(client: Any, plan: Plan) -> None:
    calls: list[asyncio.Task[None]] = []

    async def ask(request: RecordedRequest) -> None:
        await asyncio.gather(*(calls[place] for place in request.after))
        answer = await client.infer(request.model, request.inputs)
        for output in answer.get_response().outputs:
            answer.as_numpy(output.name)

    async with asyncio.TaskGroup() as group:
        for request in plan:
            calls.append(group.create_task(ask(request)))
