"""The results of the bench: measured figures. A figure may have a target, and the value of the bare
counterpart for comparison."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import grpc
from chassis.refusals import Refusal
from tartip_cli.failures import Failure, from_group

# What may end a measurement, which then becomes a figure that misses its target.
FAILURES = (Failure, Refusal, OSError, TimeoutError, grpc.RpcError, BaseExceptionGroup)


@dataclass(frozen=True)
class Spread:
    """The median, the smallest and the largest of several measurements."""

    median: float
    least: float
    greatest: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        return Spread(statistics.median(values), min(values), max(values))

    def text(self, digits: int) -> str:
        if self.least == self.greatest:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.least:.{digits}f} to {self.greatest:.{digits}f})"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured value, its target, and the value of the bare counterpart (`bare`). All three are
    texts with units; a missing one is empty."""

    name: str
    measured: str
    bare: str = ""
    target: str = ""
    met: bool | None = None
    """Whether the target is met; None without a target."""
    is_rule: bool = False
    """Whether the bench fails if the target is missed. Such a target does not depend on the speed
    of the machine."""


def unmeasured(name: str, error: BaseException) -> Figure:
    """Return the figure of a measurement that ended with `error`, one of FAILURES. Raises the first
    error of a group again if the bench was interrupted."""
    first = from_group(error) if isinstance(error, BaseExceptionGroup) else error
    if isinstance(first, asyncio.CancelledError | KeyboardInterrupt):
        raise first
    reason = " ".join(f"{type(first).__name__}: {first}".split())[:300]
    return Figure(name=name, measured=reason, target="measured", met=False)


async def attempted(name: str, step: Awaitable[Sequence[Figure]]) -> Sequence[Figure]:
    """Return the figures of one step of a part. If the step fails, a figure called `name` says why,
    so that what the other steps measured is kept."""
    try:
        return await step
    except FAILURES as error:
        return [unmeasured(name, error)]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The results of one part of the bench, which took `seconds` to measure."""

    part: str
    title: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    raw: dict[str, Any] = field(default_factory=dict)
    """The unrounded measurements behind the figures, for programs."""

    @property
    def missed(self) -> bool:
        return any(figure.met is False for figure in self.figures)

    @property
    def broken(self) -> list[str]:
        """A line of text for each rule (figure with `is_rule`) whose target is missed."""
        return [
            f"{self.part}: {figure.name} is {figure.measured}, aimed at: {figure.target}"
            for figure in self.figures
            if figure.is_rule and figure.met is False
        ]

    def took(self, seconds: float) -> Outcome:
        return replace(self, seconds=round(seconds, 1))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
