"""Descriptions of the parts of the mesh: each part's command, readiness probe and stop signal.

A `Part` does nothing by itself; the supervisor runs it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tartip_cli.parts.health import Probe
from tartip_cli.provision.users import UnixUser

START_SECONDS = 120.0
"""The longest time that any start of a part may take."""
HUNG_AFTER_PROBES = 6
"""After so many probes in a row without an answer, a part counts as hung. That takes 17 to 22 s if
each probe waits two seconds for its answer and the next one follows a second later."""

_LAUNCH = Path(__file__).with_name("launch.py")

Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """The description of a process of the mesh. The supervisor starts, probes, restarts and stops
    the process."""

    name: str
    address: str
    command: tuple[str, ...]
    log: Path
    probe: Probe
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    prepare: Step | None = None
    """Runs before every start."""
    provision: Step | None = None
    """Runs after every start, once the part answers and before it counts as ready."""
    stop_signal: signal.Signals = signal.SIGTERM
    user: UnixUser | None = None
    start_seconds: float = START_SECONDS
    """How long a start may take: a part that is not ready by then is stopped and started again.
    Each further start in a row may take twice as long as the one before, up to START_SECONDS."""
    hung_after_probes: int = HUNG_AFTER_PROBES
    certificate: str = ""
    """The part's certificate as "kind/name", if the process does not notice a renewed one by
    itself."""
    renew_signal: signal.Signals = signal.SIGHUP
    """The signal that makes the process read its `certificate` again after a renewal."""


@dataclass(frozen=True, kw_only=True)
class OutsidePart:
    """A part that somebody else runs, such as an existing database server. The supervisor probes
    and provisions it, but neither starts nor stops it."""

    name: str
    address: str
    probe: Probe
    provision: Step | None = None


def launched(
    command: tuple[str, ...], *, user: UnixUser | None, death_signal: signal.Signals
) -> tuple[str, ...]:
    """Return a command that runs `command` as `user` (None: the user of the supervisor). The kernel
    sends `death_signal` to the started process if the supervisor dies."""
    options = {
        "uid": user.uid if user else None,
        "gid": user.gid if user else None,
        "signal": int(death_signal),
        "parent": os.getpid(),
    }
    return (sys.executable, "-I", "-S", str(_LAUNCH), json.dumps(options), *command)
