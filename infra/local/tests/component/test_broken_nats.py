"""A stopped NATS is started anew; one whose disk is full is degraded until there is room."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.errors import Error as BrokerError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from tartip_testing.mesh import RunningTestMesh, wait_until

from .own_engines import own_engines, part_of

DISK_MIB = 640  # a data folder needs 512 at its start
CONTENT = b"x" * 100_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory that is soon full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = f"size={DISK_MIB}m,mode=0755"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"left out: only root may mount a small file system ({mounted.stderr.strip()})")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@asynccontextmanager
async def fines_stream(mesh: RunningTestMesh) -> AsyncIterator[JetStreamContext]:
    client = await mesh.nats_client("fines")
    try:
        yield client.jetstream(timeout=5)
    finally:
        await client.close()


def fill(path: Path) -> None:
    for piece in (1 << 20, 4096):
        with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(piece))


@pytest.mark.nightly
async def test_a_full_disk_is_said_and_heals_when_there_is_room_again(small_disk: Path) -> None:
    with own_engines(small_disk / "home") as own:
        async with fines_stream(own) as stream:
            await stream.publish("fines.v1.paid", b"before")
            filling = small_disk / "filling"
            fill(filling)
            with pytest.raises((BrokerError, JetStreamError)):
                for _ in range(50):
                    await stream.publish("fines.v1.paid", CONTENT)
        wait_until(lambda: part_of(own, "nats")["state"] == "degraded", seconds=45)
        status, nats = own.status(), part_of(own, "nats")
        assert status["ready"] and nats["restarts"] == 0
        assert "it is restarted when 64 MiB are free" in nats["reasons"][-1]
        assert "DISK_NEARLY_FULL" in [notice["code"] for notice in status["notices"]]
        filling.unlink()
        wait_until(lambda: part_of(own, "nats")["state"] == "ready", seconds=90)
        nats = part_of(own, "nats")
        assert nats["restarts"] == 1 and nats["restart_reason"].startswith("it is broken: ")
        async with fines_stream(own) as stream:
            await stream.publish("fines.v1.paid", b"after")
            assert (await stream.stream_info("FINES")).state.messages >= 2


@pytest.mark.nightly
async def test_a_stopped_nats_is_killed_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    with own_engines(tmp_path / "home") as own:
        async with fines_stream(own) as stream:
            await stream.publish("fines.v1.paid", b"kept")
        pid = own.pid("nats")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: part_of(own, "nats").get("restarts") == 1, seconds=90)
        own.wait_ready()
        nats = part_of(own, "nats")
        assert nats["pid"] != pid and nats["restart_reason"].startswith(
            "it is hung: no answer to 6"
        )
        async with fines_stream(own) as stream:
            assert (await stream.stream_info("FINES")).state.messages == 1
