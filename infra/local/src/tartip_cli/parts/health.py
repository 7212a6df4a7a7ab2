"""What a probe finds out about a part of the mesh: its condition, and the reasons for it.

Whoever answers is alive, whatever the answer is; only the supervisor says that a part is silent.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


class Condition(enum.StrEnum):
    READY = "ready"
    DEGRADED = "degraded"
    """It serves its callers, but something is wrong that they will feel if it lasts."""
    UNREADY = "unready"
    """It answers, but does not serve now, for instance because something that it needs is away."""
    SILENT = "silent"
    """It does not answer at all."""
    BROKEN = "broken"
    """It answers that only a restart will make it serve again."""


@dataclass(frozen=True)
class Health:
    condition: Condition
    reasons: tuple[str, ...] = ()

    @property
    def serves(self) -> bool:
        return self.condition in (Condition.READY, Condition.DEGRADED)

    @property
    def reason(self) -> str:
        return "; ".join(self.reasons)


Probe = Callable[[], Awaitable[Health]]
"""Finds out how a part is. An error that it raises means: there was no answer."""

READY = Health(Condition.READY)


def degraded(*reasons: str) -> Health:
    return Health(Condition.DEGRADED, reasons)


def unready(*reasons: str) -> Health:
    return Health(Condition.UNREADY, reasons)


def silent(*reasons: str) -> Health:
    return Health(Condition.SILENT, reasons)


def broken(*reasons: str) -> Health:
    return Health(Condition.BROKEN, reasons)


def ready_if(answers: Callable[[], Awaitable[bool]]) -> Probe:
    """Return a probe that finds a part ready whenever `answers` returns True."""

    async def probe() -> Health:
        return READY if await answers() else unready("it answers, but does not serve")

    return probe
