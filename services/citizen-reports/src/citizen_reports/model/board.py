"""How many reports units and officers have, and how units handled the reports of a period."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OfficerLoad:
    """The open reports that an officer has taken, and how many of them are overdue."""

    operator: str
    open: int
    overdue: int


@dataclass(frozen=True)
class UnitLoad:
    """The open reports of a unit. `unassigned` ones were taken by nobody; for `due_soon` ones a
    warning was given, and they are not overdue yet."""

    unit: str
    unassigned: int
    open: int
    overdue: int
    due_soon: int
    waits_for_reporter: int
    officers: tuple[OfficerLoad, ...]


@dataclass(frozen=True)
class UnitFigures:
    """How a unit handled the reports that were registered in a period.

    `on_time` and `late` ones are answered and not disputed since, `overdue` ones are still open.
    `median_minutes` is the median time until an operator first took one, 0.0 if none was taken.
    """

    unit: str
    registered: int
    on_time: int
    late: int
    overdue: int
    reopened: int
    median_minutes: float
