"""The states of the parts of the mesh, and the watch over parts that run outside of it."""

from __future__ import annotations

import asyncio
import enum
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.health import Condition, Health, unready
from tartip_cli.parts.part import START_SECONDS, OutsidePart, Part
from tartip_cli.supervisor.health import (
    AGAIN_SECONDS,
    PROBE_SECONDS,
    health_by,
    raise_if_cancelled,
)

_OUTSIDE_SECONDS = 10.0

log = logging.getLogger(__name__)


class State(enum.StrEnum):
    WAITING = "waiting"
    MIGRATING = "migrating"
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    UNREADY = "unready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"

    @property
    def serves(self) -> bool:
        return self in (State.READY, State.DEGRADED)


_FOUND = {Condition.READY: State.READY, Condition.DEGRADED: State.DEGRADED}
OnChange = Callable[[str, State], None]


class Watched(ABC):
    """A supervised part of the mesh and its state; `was_ready` is set when the part becomes ready
    for the first time."""

    def __init__(self, part: Part | OutsidePart, on_change: OnChange) -> None:
        self.part = part
        self.state = State.WAITING
        self.reasons: tuple[str, ...] = ()
        """Why the part is not ready, or degraded."""
        self.restarts = 0
        self.restart_reason: str | None = None
        """Why the part was last restarted."""
        self.was_ready = asyncio.Event()
        self._on_change = on_change

    @property
    def name(self) -> str:
        return self.part.name

    @property
    def pid(self) -> int | None:
        return None

    def pss_bytes(self) -> int:
        return 0

    @abstractmethod
    async def keep(self) -> None:
        """Start the part (or wait until an external one answers) and watch it until it is stopped.

        Raises Failure if the part never becomes ready.
        """

    async def stop(self, *, at_once: bool = False) -> None:
        self._become(State.STOPPED)

    async def _provisioned(self) -> bool:
        """Provision after a start. Errors are raised before the first readiness, later retried."""
        if self.part.provision is None:
            return True
        try:
            await asyncio.wait_for(self.part.provision(), START_SECONDS)
        except Exception as error:  # any error of a library means: not yet
            raise_if_cancelled()
            if isinstance(error, Failure) and not self.was_ready.is_set():
                raise
            log.warning("%s: provisioning: %r", self.name, error)
            return False
        return True

    def _become(self, state: State, reasons: tuple[str, ...] = ()) -> None:
        changed = state is not self.state
        if changed or reasons != self.reasons:
            log.info("%s: %s", self.name, "; ".join((state, *reasons)))
            self.state, self.reasons = state, reasons
        if changed:
            self._on_change(self.name, state)
        if state.serves:
            self.was_ready.set()

    def _learn(self, health: Health) -> None:
        """Take over what a probe found of a part that has been ready before."""
        self._become(_FOUND.get(health.condition, State.UNREADY), health.reasons)


class WatchedOutsidePart(Watched):
    """A part that runs outside the mesh: it is probed and, whenever it becomes available,
    provisioned, but never started or stopped."""

    async def keep(self) -> None:
        self._become(State.STARTING)
        deadline = time.monotonic() + _OUTSIDE_SECONDS
        while True:
            health = await health_by(self.part.probe)
            if health.serves and not self.state.serves and not await self._provisioned():
                health = unready("it cannot be provisioned yet")
            elif not health.serves and not self.was_ready.is_set() and time.monotonic() > deadline:
                raise Failure(
                    f"{self.name} does not answer at {self.part.address}: is it running? "
                    f"({health.reason})",
                    Exit.PART_FAILED,
                )
            if health.serves or self.was_ready.is_set():
                self._learn(health)
            await asyncio.sleep(PROBE_SECONDS if health.serves else AGAIN_SECONDS)
