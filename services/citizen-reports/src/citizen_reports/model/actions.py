"""The actions that an operator may take on a report now.

`ROLES` names the roles that may take each action, also for the API's role policy. An action is
allowed if the operator has such a role, and the function of the model that decides on the action
raises no refusal. `allowed_actions` calls these functions on trial, which changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.refusals import Refusal

from citizen_reports.model.answer_dates import extended
from citizen_reports.model.categories import Category
from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.merging import require_mergeable, unmerged
from citizen_reports.model.raising import raised
from citizen_reports.model.refusals import NoEvidence
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Actor, Status, Urgency
from citizen_reports.model.urgency import confirmed, declined


class DeskAction(StrEnum):
    TAKE = "take"
    ROUTE = "route"
    ASK = "ask"
    ANSWER = "answer"
    ACCEPT_TRAFFIC_EVIDENCE = "accept_traffic_evidence"
    RECORD_ARRIVAL = "record_arrival"
    EXTEND = "extend"
    RAISE = "raise"
    CONFIRM_URGENCY = "confirm_urgency"
    DECLINE_URGENCY = "decline_urgency"
    MERGE = "merge"
    UNMERGE = "unmerge"


DESK_ROLES = frozenset({"dispatcher", "supervisor", "inspector", "internal_security"})
# The roles that may take each action on reports whose region and category they may see.
ROLES: Mapping[DeskAction, frozenset[str]] = {
    DeskAction.TAKE: DESK_ROLES,
    DeskAction.ROUTE: DESK_ROLES,
    DeskAction.ASK: DESK_ROLES,
    DeskAction.ANSWER: DESK_ROLES,
    # Complaints are never traffic evidence.
    DeskAction.ACCEPT_TRAFFIC_EVIDENCE: DESK_ROLES - {"internal_security"},
    # An emergency that was raised to a complaint still awaits an arrival.
    DeskAction.RECORD_ARRIVAL: DESK_ROLES,
    # APPC 76 leaves extensions to the head; complaints are never extended (APPC 99).
    DeskAction.EXTEND: frozenset({"supervisor"}),
    DeskAction.RAISE: DESK_ROLES,
    DeskAction.CONFIRM_URGENCY: DESK_ROLES,
    DeskAction.DECLINE_URGENCY: DESK_ROLES,
    # Complaints are never merged.
    DeskAction.MERGE: DESK_ROLES - {"internal_security"},
    DeskAction.UNMERGE: DESK_ROLES - {"internal_security"},
}


@dataclass(frozen=True)
class Files:
    """How many photographs and films are `stored` in the evidence store, or `waiting` for that."""

    stored: int = 0
    waiting: int = 0


def accept_evidence(
    report: Report,
    offence_code: str,
    actor: Actor,
    deadlines: Deadlines,
    files: Files,
    now: datetime,
) -> tuple[Report, Report]:
    """Accept a report's files as evidence of an offence, such as "RED_LIGHT". If the report is
    ROUTED, it is first assigned to `actor`.

    Returns the assigned report as it is before acceptance, and the accepted report. Raises
    StatusNotAllowed, NotTraffic, AnotherOfficerRequired, CalendarYearMissing, or NoEvidence if no
    photograph or film is in the evidence store.
    """
    in_work = report
    if report.status is Status.ROUTED:
        in_work = report.take(actor, now, deadlines)
    accepted = in_work.accept_traffic(offence_code)
    if not files.stored:
        raise NoEvidence(facts={"waiting": str(files.waiting)})
    return in_work, accepted


def allowed_actions(
    report: Report, actor: Actor, deadlines: Deadlines, files: Files, now: datetime
) -> tuple[DeskAction, ...]:
    """Return the actions on `report` that `actor` may take at `now` without being refused."""
    attempts: dict[DeskAction, Callable[[], object]] = {
        DeskAction.TAKE: lambda: report.take(actor, now, deadlines),
        DeskAction.ROUTE: lambda: report.route(report.unit),
        DeskAction.ASK: lambda: report.ask(deadlines.table.question_reasons[0], now, deadlines),
        DeskAction.ANSWER: lambda: report.answer(actor, "", now),
        DeskAction.ACCEPT_TRAFFIC_EVIDENCE: lambda: accept_evidence(
            report, report.offence_code, actor, deadlines, files, now
        ),
        DeskAction.EXTEND: lambda: extended(report, 1, now, deadlines),
        # A report that can be raised to any category can be raised to a complaint.
        DeskAction.RAISE: lambda: raised(
            report, Category.COMPLAINT_ABOUT_OFFICER, report.unit, now, deadlines
        ),
        DeskAction.DECLINE_URGENCY: lambda: declined(report),
        DeskAction.MERGE: lambda: require_mergeable(report),
    }
    if report.urgency is not Urgency.CONFIRMED:
        attempts[DeskAction.CONFIRM_URGENCY] = lambda: confirmed(report, now, deadlines)
    if report.arrived_at is None:
        attempts[DeskAction.RECORD_ARRIVAL] = lambda: report.arrive(now)
    if report.parent is not None:
        attempts = {
            DeskAction.RAISE: attempts[DeskAction.RAISE],
            DeskAction.UNMERGE: lambda: unmerged(report),
        }
    return tuple(
        action
        for action, attempt in attempts.items()
        if actor.roles & ROLES[action] and is_accepted(attempt)
    )


def is_accepted(attempt: Callable[[], object]) -> bool:
    """Call `attempt`, and return whether it raised no Refusal. Other errors are not caught."""
    try:
        attempt()
    except Refusal:
        return False
    return True
