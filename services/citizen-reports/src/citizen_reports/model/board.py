"""Numbers of open reports by unit and officer, and how units handled the reports of a period."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OfficerLoad:
    """How many open reports of a unit are assigned to one officer, and how many are overdue."""

    operator: str
    open: int
    overdue: int


@dataclass(frozen=True)
class UnitLoad:
    """How many open reports a unit has. `unassigned` of them have no officer. For `due_soon` of
    them a warning was given that a clock ends soon, and they are not overdue yet."""

    unit: str
    unassigned: int
    open: int
    overdue: int
    due_soon: int
    waits_for_reporter: int
    officers: tuple[OfficerLoad, ...]


@dataclass(frozen=True)
class UnitFigures:
    """How a unit handled the reports registered in a period: numbers of reports, and a median.

    `on_time` and `late` reports are answered, `overdue` reports are open, and `reopened` reports
    were ever disputed. `median_minutes` is the median time from registration until an operator
    first took the report, 0.0 if no report was taken.
    """

    unit: str
    registered: int
    on_time: int
    late: int
    overdue: int
    reopened: int
    median_minutes: float
