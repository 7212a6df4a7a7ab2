"""Two copies of the service on one database: safe, and one of them can leave at any moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest_asyncio
from tartip.reports.v1 import reports_pb2 as pb
from tartip_cli.ports import free_base
from tartip_testing.mesh import RunningTestMesh

from .conftest import PACKAGE, SERVICE, As, Evidence, Register, draft, refused, until

STOP_SECONDS = 10


@pytest_asyncio.fixture
async def other(
    engines: RunningTestMesh, evidence: Evidence, service: str, kaspi: As, tmp_path: Path
) -> AsyncIterator[tuple[subprocess.Popen[bytes], As]]:
    """A second copy, and a caller of it."""
    address = f"127.0.0.1:{free_base().base}"
    environment = {
        **os.environ,
        **engines.environment(SERVICE),
        "TARTIP_GRPC_ADDRESS": address,
        "TARTIP_INFERENCE_GATEWAY_ADDRESS": evidence.address,
        "TARTIP_CAMERA_REGISTRY_ADDRESS": evidence.address,
    }
    with (tmp_path / "other.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 (a process of its own, not awaited)
            [sys.executable, "-m", PACKAGE, "serve"], env=environment, stdout=log, stderr=log
        )
    caller = As(kaspi.channels, address)

    async def serves() -> bool:
        try:
            await caller.app("ListReports", pb.ListReportsRequest())
        except grpc.aio.AioRpcError:
            return False
        return True

    try:
        await until(serves)
        yield process, caller
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


async def test_a_watch_goes_on_at_the_other_copy_when_one_stops(
    other: tuple[subprocess.Popen[bytes], As], kaspi: As, register: Register
) -> None:
    process, elsewhere = other
    stream = elsewhere.watch("0")
    await register()
    last = await stream.read()
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert (await refused(_drain(stream))).code == "SERVER_STOPPING"
    assert process.wait(STOP_SECONDS) == 0
    assert time.monotonic() - begun < STOP_SECONDS
    resumed = kaspi.watch(last.resume_token)
    following = await resumed.read()
    assert int(following.resume_token) == int(last.resume_token) + 1
    resumed.cancel()


async def test_a_report_opened_at_one_copy_is_submitted_at_both_under_one_number(
    other: tuple[subprocess.Popen[bytes], As], kaspi: As
) -> None:
    _, elsewhere = other
    given = draft()
    await kaspi.app("OpenReport", given)
    request = pb.SubmitReportRequest(report_id=given.report_id)
    receipts = [(await by.app("SubmitReport", request)).receipt for by in (elsewhere, kaspi)]
    assert receipts[0] == receipts[1]


async def _drain(stream: object) -> None:
    async for _ in stream:  # type: ignore[attr-defined]
        pass
