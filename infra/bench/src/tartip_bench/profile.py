"""Finds out with py-spy which libraries the Python code of a server spends its time in.

py-spy (https://github.com/benfred/py-spy) is a separate, optional program. If it is not on the
PATH, profiles are empty. It must be allowed to read the memory of other processes.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from tartip_bench.outcomes import Figure

PROGRAM = "py-spy"
SAMPLES_A_SECOND = 250
LOOP = "event loop, gRPC core and sockets"
# By the package of the innermost frame that is in one of them.
LIBRARIES = {
    "opentelemetry": "spans and metrics",
    "asyncpg": "asyncpg",
    "sqlalchemy": "SQLAlchemy",
    "nats": "NATS client",
    "grpc": "gRPC in Python",
    "h3": "h3",
    "chassis": "chassis",
    "host": "host",
    "statements": "statements",
    "camera_registry": "camera-registry",
    "citizen_reports": "citizen-reports",
    "law": "law",
    "partners": "partners",
    "vault": "vault",
    "asyncio": LOOP,
    "uvloop": LOOP,
}
SHOWN_FROM = 0.01
# After the folder of installed packages, of a checkout's sources or of the standard library.
_PACKAGE = re.compile(r".*/(?:site-packages|src|python3\.\d+)/(\w+)")


class Profile:
    """The samples of one profiled block, counted by library; empty if py-spy is not installed."""

    def __init__(self) -> None:
        self.samples: Counter[str] = Counter()

    def figure(self, what: str) -> Figure:
        """Return the libraries' shares of the samples as one figure, the greatest share first.
        `what` names the load that was profiled."""
        total = self.samples.total()
        shares = [
            f"{name} {count / total:.0%}"
            for name, count in self.samples.most_common()
            if count / total >= SHOWN_FROM
        ]
        measured = ", ".join(shares) if shares else f"not profiled: {PROGRAM} gave no samples"
        return Figure(name=f"{what}: where the server's Python spends its time", measured=measured)


@asynccontextmanager
async def profiled(pid: int, scratch: Path) -> AsyncIterator[Profile]:
    """Sample the process `pid` with py-spy during the block. The yielded profile is filled when
    the block ends."""
    profile, path = Profile(), scratch / f"profile-{pid}.txt"
    program = shutil.which(PROGRAM)
    if program is None:
        yield profile
        return
    options = ("record", "--gil", "--full-filenames", "--format", "raw")
    process = await asyncio.create_subprocess_exec(
        program,
        *options,
        "--rate",
        str(SAMPLES_A_SECOND),
        "--output",
        str(path),
        "--pid",
        str(pid),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield profile
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()
    if path.exists():
        profile.samples = by_library(path.read_text().splitlines())


def by_library(stacks: Iterable[str]) -> Counter[str]:
    """Return the number of samples by library. Each sample counts for the innermost known library.
    `stacks` holds lines of the form "outermost (path:line);…;innermost (path:line) COUNT"."""
    found: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        packages = (_package(frame) for frame in reversed(stack.split(";")))
        known = (LIBRARIES[package] for package in packages if package in LIBRARIES)
        found[next(known, "other")] += int(count)
    return found


def _package(frame: str) -> str:
    """The package in "function (/path/to/site-packages/package/module.py:12)"."""
    found = _PACKAGE.search(frame)
    return found[1] if found else ""
