"""The bare counterpart: a `tritonclient.grpc.aio` loop that sends recorded requests, nothing more.

What the gateway asks of Triton for each picture is recorded once. The loop sends the same tensors
in the same order of dependence, as many pictures at once as are given to the gateway.
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

from tartip_bench.ground import Ground

_RECORD_SECONDS = 300
_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@dataclass(frozen=True)
class Asked:
    """One request of a picture's, ready to be sent, and the places of those it comes after."""

    model: str
    inputs: list[Any]
    after: tuple[int, ...]
    tensor: npt.NDArray[np.uint8]


Plan = tuple[Asked, ...]


async def recorded(ground: Ground, pictures: Sequence[Path]) -> list[Plan]:
    """What the gateway would ask of Triton for each picture."""
    out = ground.folder / "requests.npz"
    pair = ground.outside.certificates.service(INFERENCE_GATEWAY.name)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ground.mesh.settings.checkout / "infra/triton/requests_of.py"),
        "--address",
        triton_address(ground),
        "--certificate",
        str(pair.certificate),
        "--key",
        str(pair.key),
        "--authority",
        str(ground.outside.certificates.authority),
        "--out",
        str(out),
        *map(str, pictures),
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await asyncio.wait_for(process.communicate(), _RECORD_SECONDS)
    if process.returncode != 0:
        raise Failure(f"cannot record requests: {told.decode()[-500:]}", Exit.PART_FAILED)
    with np.load(out) as kept:
        return [
            tuple(_asked(request, kept[str(request["tensor"])]) for request in requests)
            for requests in json.loads(str(kept["plan"]))
        ]


def _asked(request: dict[str, Any], tensor: npt.NDArray[np.uint8]) -> Asked:
    from tritonclient.grpc import aio as triton

    given = triton.InferInput("image", list(tensor.shape), "UINT8")
    given.set_data_from_numpy(tensor)
    return Asked(request["model"], [given], tuple(request["after"]), tensor)


def triton_address(ground: Ground) -> str:
    return next(part.address for part in ground.mesh.parts if part.name == "triton")


@asynccontextmanager
async def triton_client(ground: Ground) -> AsyncIterator[Any]:
    from tritonclient.grpc import aio as triton

    pair = ground.outside.certificates.service(INFERENCE_GATEWAY.name)
    client = triton.InferenceServerClient(
        triton_address(ground),
        ssl=True,
        private_key=str(pair.key),
        root_certificates=str(ground.outside.certificates.authority),
        certificate_chain=str(pair.certificate),
        channel_args=_OPTIONS,
    )
    try:
        yield client
    finally:
        await client.close()


async def rate(client: Any, plans: Sequence[Plan], *, at_once: int) -> float:
    """Pictures a second when all plans are sent, so many at once."""
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

    async def ask(asked: Asked) -> None:
        await asyncio.gather(*(calls[place] for place in asked.after))
        answer = await client.infer(asked.model, asked.inputs)
        for output in answer.get_response().outputs:
            answer.as_numpy(output.name)

    async with asyncio.TaskGroup() as group:
        for asked in plan:
            calls.append(group.create_task(ask(asked)))
