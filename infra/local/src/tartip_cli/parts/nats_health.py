"""Determines the health of the embedded NATS server from the answers of its monitoring port.

`/varz` returns the settings of the server. `/healthz` returns the faults of JetStream. After a
failed write, for instance on a full disk, NATS refuses all writes to the stream, or to all streams.
It still serves connections, but accepts writes only after a restart.
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
"""The free disk space that is needed before NATS is restarted after a fault."""
RETRY_SECONDS = 30.0
"""How long NATS must have run before it is restarted because of a fault, so that it is not
restarted again and again."""
_REASONS = 3


@dataclass(frozen=True, kw_only=True)
class NatsMonitor:
    """Queries the monitoring port of the embedded NATS server. The field `store` is the folder in
    which the streams are stored."""

    port: int
    store: Path

    async def health(self) -> Health:
        """Return the health of the server. It is broken if it needs a restart. It is degraded if it
        has faults but a restart would not help yet: there is too little disk space, or the server
        has only just started. It is unready if it starts without JetStream, otherwise ready.

        Raises OSError if there is no answer, and Failure if the server's settings are not those of
        this project.
        """
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
