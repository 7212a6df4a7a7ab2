"""The statuses of a report and the one table of allowed transitions."""

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
    ACCEPT = "accept"
    ANSWER = "answer"
    DISPUTE = "dispute"
    CLOSE = "close"
    WITHDRAW = "withdraw"


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
}
# Statuses in which the desk still has to act.
QUEUE = (
    Status.REGISTERED,
    Status.ROUTED,
    Status.IN_WORK,
    Status.WAITS_FOR_REPORTER,
    Status.DISPUTED,
)
# Statuses in which nobody has asked or answered the reporter yet.
BEFORE_WORK = frozenset({Status.OPEN, Status.REGISTERED, Status.ROUTED})
# Statuses in which the clock of the deadline runs.
CLOCK_RUNS = frozenset(QUEUE) - {Status.WAITS_FOR_REPORTER}
# Roles that may take a disputed report, instead of the desk that answered it.
OVERSIGHT_ROLES = frozenset({"supervisor", "internal_security"})
