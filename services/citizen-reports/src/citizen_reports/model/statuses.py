"""The statuses of a report and the one table of allowed transitions."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    OPEN = "open"
    REGISTERED = "registered"
    ROUTED = "routed"
    IN_WORK = "in_work"
    WAITS_FOR_REPORTER = "waits_for_reporter"
    ANSWERED = "answered"
    DISPUTED = "disputed"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Move(StrEnum):
    SUBMIT = "submit"
    ROUTE = "route"
    TAKE = "take"
    ASK = "ask"
    REPLY = "reply"
    GO_ON = "go_on"
    ACCEPT = "accept"
    ANSWER = "answer"
    DISPUTE = "dispute"
    CLOSE = "close"
    RAISE = "raise"
    RELEASE = "release"
    WITHDRAW = "withdraw"


class Urgency(StrEnum):
    """The urgency of a report beside what its category says: PROPOSED by the reporter's words, then
    CONFIRMED or DECLINED by an operator."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    DECLINED = "declined"


# The next status for each status and move; a missing pair is refused as STATUS_NOT_ALLOWED.
TRANSITIONS: dict[tuple[Status, Move], Status] = {
    (Status.OPEN, Move.SUBMIT): Status.REGISTERED,
    (Status.REGISTERED, Move.ROUTE): Status.ROUTED,
    (Status.ROUTED, Move.ROUTE): Status.ROUTED,
    (Status.IN_WORK, Move.ROUTE): Status.ROUTED,
    (Status.ROUTED, Move.TAKE): Status.IN_WORK,
    (Status.DISPUTED, Move.TAKE): Status.IN_WORK,
    (Status.IN_WORK, Move.ASK): Status.WAITS_FOR_REPORTER,
    (Status.WAITS_FOR_REPORTER, Move.REPLY): Status.IN_WORK,
    (Status.WAITS_FOR_REPORTER, Move.GO_ON): Status.IN_WORK,
    (Status.IN_WORK, Move.ACCEPT): Status.IN_WORK,
    (Status.IN_WORK, Move.ANSWER): Status.ANSWERED,
    (Status.WAITS_FOR_REPORTER, Move.ANSWER): Status.ANSWERED,
    (Status.ANSWERED, Move.DISPUTE): Status.DISPUTED,
    (Status.ANSWERED, Move.CLOSE): Status.CLOSED,
    (Status.OPEN, Move.WITHDRAW): Status.WITHDRAWN,
    (Status.REGISTERED, Move.WITHDRAW): Status.WITHDRAWN,
    (Status.ROUTED, Move.WITHDRAW): Status.WITHDRAWN,
    (Status.IN_WORK, Move.WITHDRAW): Status.WITHDRAWN,
    (Status.WAITS_FOR_REPORTER, Move.WITHDRAW): Status.WITHDRAWN,
    # The report was raised to a more secret category: its new unit handles it from the beginning.
    (Status.ROUTED, Move.RAISE): Status.ROUTED,
    (Status.IN_WORK, Move.RAISE): Status.ROUTED,
    (Status.WAITS_FOR_REPORTER, Move.RAISE): Status.ROUTED,
    (Status.ANSWERED, Move.RAISE): Status.ROUTED,
    (Status.DISPUTED, Move.RAISE): Status.ROUTED,
    (Status.CLOSED, Move.RAISE): Status.ROUTED,
    # The posting of the report's operator has ended.
    (Status.IN_WORK, Move.RELEASE): Status.ROUTED,
    (Status.WAITS_FOR_REPORTER, Move.RELEASE): Status.WAITS_FOR_REPORTER,
}
# Statuses of an open report, which the police still have to answer.
QUEUE = (
    Status.REGISTERED,
    Status.ROUTED,
    Status.IN_WORK,
    Status.WAITS_FOR_REPORTER,
    Status.DISPUTED,
)
# Statuses in which no operator works on the report: not yet, or not since it was routed again.
BEFORE_WORK = frozenset({Status.OPEN, Status.REGISTERED, Status.ROUTED})
# Statuses in which the clock of the answer runs. The clock of the response runs in all of QUEUE.
CLOCK_RUNS = frozenset(QUEUE) - {Status.WAITS_FOR_REPORTER}
# Roles that may take and answer a report whose former answer was disputed.
OVERSIGHT_ROLES = frozenset({"supervisor", "internal_security"})


@dataclass(frozen=True)
class Actor:
    """The operator who acts on a report, with his roles at this moment."""

    operator_id: str
    roles: frozenset[str]
