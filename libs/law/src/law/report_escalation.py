"""Who answers for a report whose clock ends soon or has ended, and how long a question may stop it.

The tables stand in the file of the deadlines (`law.report_deadlines`), whose version they share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Position:
    """A position, such as the head of a regional department, to which overdue reports are given.

    `id` is stable and is what reports and events state. Who holds the position has the role `role`.
    `names` has the position's name by language ("kk", "ru", "en").
    """

    id: str
    role: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class EscalationStep:
    """A step of escalation: a report goes to `position` when it is `after_minutes` past its
    deadline. Steps are counted from 1."""

    step: int
    position: str
    after_minutes: int


@dataclass(frozen=True)
class Ladder:
    """The steps by which reports of some categories are escalated when a clock has ended.

    `clock` is "response" or "answer".
    """

    clock: str
    categories: tuple[str, ...]
    steps: tuple[EscalationStep, ...]


@dataclass(frozen=True)
class QuestionReason:
    """A reason for which the reporter is asked and the clock of the answer stops.

    It stops for `days` calendar days at most. The reporter is reminded `reminder_days` after the
    question. `names` has the reason's text by language ("kk", "ru", "en").
    """

    id: str
    days: int
    reminder_days: tuple[int, ...]
    names: Mapping[str, str]


def to_positions(rows: list[dict[str, Any]]) -> tuple[Position, ...]:
    """Convert the rows `positions` of the table of deadlines."""
    return tuple(Position(**row) for row in rows)


def to_ladders(rows: list[dict[str, Any]]) -> tuple[Ladder, ...]:
    """Convert the rows `escalation` of the table of deadlines."""
    return tuple(
        Ladder(
            row["clock"],
            tuple(row["categories"]),
            tuple(EscalationStep(**step) for step in row["steps"]),
        )
        for row in rows
    )


def to_reasons(rows: list[dict[str, Any]]) -> tuple[QuestionReason, ...]:
    """Convert the rows `questions.reasons` of the table of deadlines."""
    return tuple(
        QuestionReason(**{**row, "reminder_days": tuple(row["reminder_days"])}) for row in rows
    )
