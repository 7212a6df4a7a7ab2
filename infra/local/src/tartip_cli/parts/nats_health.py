"""What the embedded NATS server says of itself on its monitoring port, and what follows from it.

`/varz` shows the settings it runs with. `/healthz` names what is wrong with JetStream: after a
failed write, on a full disk for instance, NATS refuses all writes to that stream, or to all, until
it is restarted, while it goes on to serve connections.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartip_cli.failures import Failure
from tartip_cli.parts.health import READY, Health, broken, degraded, unready
from tartip_cli.parts.probes import get
from tartip_cli.ports import LOOPBACK

ROOM_BYTES = 64 * 1024 * 1024
"""So much must be free before NATS is restarted after a full disk."""
RETRY_SECONDS = 30.0
"""A fault that a restart has not removed gets this time before the next restart."""
_REASONS = 3


@dataclass(frozen=True, kw_only=True)
class NatsMonitor:
    """The monitoring port of the embedded server whose streams are in the folder `store`."""

    port: int
    store: Path

    async def health(self) -> Health:
        """Ready, degraded, or broken if a restart would help. Raises OSError without an answer,
        and Failure if the server does not run with this project's settings."""
        if not self.store.is_dir():
            return broken("its folder was deleted")
        _, varz = await self._ask("/varz")
        settings = varz.get("jetstream", {}).get("config")
        if settings and settings.get("sync_always") is not True:
            raise Failure("NATS does not sync every write; its configuration is not ours")
        # Without a parameter it looks at each stream too; with `details` it lists all faults.
        _, healthz = await self._ask("/healthz?details=true")
        faults = _faults(healthz)
        if not settings and not faults:
            faults = ("JetStream is off",)
        if not faults:
            return READY
        if shutil.disk_usage(self.store).free < ROOM_BYTES:
            room = f"it is restarted when {ROOM_BYTES // 2**20} MiB are free under {self.store}"
            return degraded(*faults, room)
        if _age_seconds(varz) > RETRY_SECONDS:
            return broken(*faults)
        return degraded(*faults) if settings else unready(*faults)  # it is still starting

    async def _ask(self, path: str) -> tuple[int, dict[str, Any]]:
        status, body = await get(f"http://{LOOPBACK}:{self.port}{path}")
        answer: dict[str, Any] = json.loads(body)
        return status, answer


def _faults(healthz: dict[str, Any]) -> tuple[str, ...]:
    """What is wrong by an answer of `/healthz`: `errors` with `details`, else `error`."""
    if healthz.get("status") == "ok":
        return ()
    errors = [str(found.get("error")) for found in healthz.get("errors") or []]
    more = (f"and {len(errors) - _REASONS} more",) if len(errors) > _REASONS else ()
    return (*(errors or [str(healthz.get("error"))])[:_REASONS], *more)


def _age_seconds(varz: dict[str, Any]) -> float:
    """How long the server has run, by its own clock."""
    start, now = (dt.datetime.fromisoformat(varz[key]) for key in ("start", "now"))
    return (now - start).total_seconds()
