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
"""The longest that any start may take."""
HUNG_AFTER_PROBES = 6
"""A part that leaves so many probes in a row without an answer is hung: after 17 to 22 s, if each
waits for two seconds and the next follows after one."""

_LAUNCH = Path(__file__).with_name("launch.py")

Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A process of the mesh that the supervisor starts, probes, restarts and stops."""

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
    """A start that has not made the part ready by then is ended and begun again; each further start
    in a row may take twice as long, up to START_SECONDS."""
    hung_after_probes: int = HUNG_AFTER_PROBES
    certificate: str = ""
    """The part's certificate, "kind/name", if the process does not read it again by itself."""
    renew_signal: signal.Signals = signal.SIGHUP
    """What it is sent after a renewal of `certificate`, so that it reads it."""


@dataclass(frozen=True, kw_only=True)
class OutsidePart:
    """A part that runs elsewhere, such as an existing database server: the supervisor probes its
    address and provisions it, but neither starts nor stops it."""

    name: str
    address: str
    probe: Probe
    provision: Step | None = None


def launched(
    command: tuple[str, ...], *, user: UnixUser | None, death_signal: signal.Signals
) -> tuple[str, ...]:
    """Return a command that runs `command` as `user` (None: the user of the supervisor) and has the
    kernel send it `death_signal` if the supervisor dies."""
    options = {
        "uid": user.uid if user else None,
        "gid": user.gid if user else None,
        "signal": int(death_signal),
        "parent": os.getpid(),
    }
    return (sys.executable, "-I", "-S", str(_LAUNCH), json.dumps(options), *command)
