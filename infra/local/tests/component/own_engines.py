"""PostgreSQL and NATS that one test may harm as it likes, and commands on their data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.ports import Ports
from tartip_testing.mesh import RunningTestMesh, start_mesh

WITHOUT = ("services", "triton")


@contextmanager
def own_engines(home: Path) -> Iterator[RunningTestMesh]:
    """Engines in this folder, ready inside the block and erased after it."""
    running = start_mesh(home, without=WITHOUT)
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()
        erase_cluster(running.home)


def tartip(home: Path, ports: Ports, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.defpath,
        "TARTIP_HOME": str(home),
        "TARTIP_PORT_BASE": str(ports.base),
        "TARTIP_GATEWAY_PORT": str(ports.gateway),
    }
    command = [sys.executable, "-m", "tartip_cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def part_of(mesh: RunningTestMesh, name: str) -> dict[str, Any]:
    """What `tartip status --json` says of a part."""
    found: dict[str, Any] = next(
        (part for part in mesh.status()["parts"] if part["name"] == name), {"state": "away"}
    )
    return found
