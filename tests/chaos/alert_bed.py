"""What faults of alerts are made in, and the reports that are handed in there."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from tartip.reports.v1 import reports_pb2 as reports
from tartip_cli.clients.journeys import ReportToAnswer, open_report
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.samples import SampleCamera
from tartip_cli.provision.vehicles import synthetic_iin
from tartip_cli.settings import inherited_environment
from tartip_testing.mesh import RunningTestMesh


@dataclass(frozen=True)
class Bed:
    """What faults are made in; `disk` is a small file system that holds the evidence."""

    mesh: RunningTestMesh
    outside: Outside
    cameras: list[SampleCamera]
    disk: Path

    async def sql(self, statement: str) -> None:
        connection = await asyncpg.connect(self.mesh.database.url)
        await connection.execute(statement)
        await connection.close()

    def command(self, *words: str) -> str:
        """Run `tartip` as a person would, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "tartip_cli", *words],
            env={**inherited_environment(), **self._settings()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _settings(self) -> dict[str, str]:
        return {
            "TARTIP_HOME": str(self.mesh.home.path),
            "TARTIP_PORT_BASE": str(self.mesh.ports.base),
            "TARTIP_GATEWAY_PORT": str(self.mesh.ports.gateway),
        }


Fault = Callable[[Bed], contextlib.AbstractAsyncContextManager[None]]


def new_report(
    bed: Bed,
    picture: bytes = b"",
    category: reports.Category.ValueType = reports.CATEGORY_ROAD_ACCIDENT,
) -> ReportToAnswer:
    draw = random.Random()
    reporter = reports.Reporter(iin=synthetic_iin(draw), name="Sample", phone="+77000000000")
    request = open_report(
        category=category,
        text=f"Sample {draw.randrange(10**9)}",
        reporter=reporter,
        address="Sample crossing",
    )
    return ReportToAnswer(bed.outside, request, picture)


async def hand_in(bed: Bed, picture: bytes = b"") -> None:
    report = new_report(bed, picture)
    await report.open()
    if picture:
        await report.upload()
    await report.submit()
