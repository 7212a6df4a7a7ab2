"""The result of probing a part of the mesh: its condition, and the reasons for this condition.

A part that answers a probe is running, whatever it answers. If there is no answer, the probe raises
an error, and the supervisor sets the condition to SILENT. A probe itself never returns SILENT.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


class Condition(enum.StrEnum):
    READY = "ready"
    DEGRADED = "degraded"
    """The part serves its callers, but has a problem that they will notice if it lasts."""
    UNREADY = "unready"
    """The part answers, but does not serve now, for instance because another part is not
    available."""
    SILENT = "silent"
    """The part does not answer at all."""
    BROKEN = "broken"
    """The part answers, but will not serve again until it is restarted."""


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
"""A function that returns the health of a part. It raises an error if the part does not answer."""

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
    """Return a probe that reports READY if `answers` returns True, otherwise UNREADY. Errors of
    `answers` are not caught."""

    async def probe() -> Health:
        return READY if await answers() else unready("it answers, but does not serve")

    return probe
