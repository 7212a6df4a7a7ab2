"""Copies of a service whose clock goes apart from the host's, as that of a virtual machine does."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tartip_cli.parts.part import launched
from tartip_cli.ports import LOOPBACK, free_base
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import Service
from tartip_testing.mesh import RunningTestMesh

SOURCE = Path(__file__).with_name("clock_ahead.c")


@dataclass(frozen=True)
class MovableClock:
    """The clock of one process; `file` holds by how many seconds it is ahead of the host's."""

    file: Path

    def put_ahead(self, seconds: int) -> None:
        self.file.write_text(f"{seconds}\n")


@contextmanager
def copy_with_clock(
    mesh: RunningTestMesh, service: Service, folder: Path
) -> Iterator[MovableClock]:
    """Run another copy of a service during the block, and yield its clock, which is right at first.

    The C compiler's output and the file of the clock lie in `folder`. The test is skipped if there
    is no C compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("left out: no C compiler is installed (Debian: apt-get install gcc libc6-dev)")
    library, clock = folder / "clock_ahead.so", MovableClock(folder / "clock_ahead")
    command = (compiler, "-shared", "-fPIC", "-O", "-Wall", "-Werror", "-o", library, SOURCE)
    subprocess.run(command, check=True)
    clock.put_ahead(0)
    environment = {
        **inherited_environment(),
        **mesh.environment(service.name),
        "TARTIP_GRPC_ADDRESS": f"{LOOPBACK}:{free_base().base}",
        "LD_PRELOAD": str(library),
        "CLOCK_AHEAD_FILE": str(clock.file),
    }
    with mesh.home.log_of(f"{service.name}-clock").open("ab") as output:
        process = subprocess.Popen(
            launched(
                (sys.executable, "-m", service.package, "serve"),
                user=None,
                death_signal=signal.SIGKILL,
            ),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield clock
        assert process.poll() is None, "the copy ended by itself"
    finally:
        process.terminate()
        process.wait(60)
