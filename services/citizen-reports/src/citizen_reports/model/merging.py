"""Merging of reports of the same incident: the parent is handled, and merged reports follow it.

Each reporter keeps his own report, with its own number and dates. A merged report adopts the
status, unit, arrival and outcome of its parent. What the desk or a reporter writes in one report is
not passed to another, and no reporter is told that there are other reports.
"""

from dataclasses import replace

from citizen_reports.model.deadlines import DeadlineKind
from citizen_reports.model.refusals import MergeNotAllowed, ReportMerged, StatusNotAllowed
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import QUEUE, Status, Urgency

# The status of a merged report by the status of its parent: questions to the parent's reporter, and
# his dispute, do not concern other reporters. A parent with any other status is not followed.
FOLLOWS = {
    Status.REGISTERED: Status.ROUTED,
    Status.ROUTED: Status.ROUTED,
    Status.IN_WORK: Status.IN_WORK,
    Status.WAITS_FOR_REPORTER: Status.IN_WORK,
    Status.DISPUTED: Status.IN_WORK,
    Status.ANSWERED: Status.ANSWERED,
    Status.CLOSED: Status.ANSWERED,
}
_MAY_BE_MERGED = frozenset({Status.ROUTED, Status.IN_WORK})
# The answer to reporters of merged reports, by language; the desk writes to the parent's alone.
_ANSWERS = {
    "kk": "Полиция сіз хабарлаған жағдайды қарады. Нәтижесі: {outcome}.",
    "ru": "Полиция рассмотрела то, о чём вы сообщили. Итог: {outcome}.",
    "en": "The police have dealt with what you reported. Outcome: {outcome}.",
}


def require_own(report: Report) -> None:
    """Raise ReportMerged if a report is merged under a parent, also if both are answered."""
    if report.parent is not None:
        raise ReportMerged


def require_mergeable(report: Report) -> None:
    """Raise MergeNotAllowed, with the fact `reason`, if a report cannot be merged at all."""
    reason = ""
    if report.parent is not None:
        reason = "merged_already"
    elif report.is_complaint:  # who may see a complaint depends on its own subject
        reason = "complaint"
    elif report.disputed_at is not None:
        reason = "disputed"
    elif report.status not in _MAY_BE_MERGED:
        reason = report.status.value
    elif report.offence_code:
        reason = "evidence_accepted"
    elif report.arrived_at is not None:
        reason = "arrived"
    elif report.urgency is Urgency.PROPOSED:
        reason = "urgency_not_judged"
    if reason:
        raise MergeNotAllowed(facts={"reason": reason})


def merged(report: Report, parent: Report) -> Report:
    """Return `report` merged under `parent`, with the parent's status and progress.

    Raises MergeNotAllowed, also if a clock of `report` ends before that of `parent`: no reporter
    waits longer because others reported the same.
    """
    require_mergeable(report)
    reason = _obstacle(report, parent)
    if reason:
        raise MergeNotAllowed(facts={"reason": reason})
    follower = replace(
        report,
        parent=parent.report_id,
        operator="",
        waiting_answer=None,
        version=report.version + 1,
    )
    return _with_progress(follower, parent)


def may_follow(report: Report, parent: Report) -> bool:
    """Whether a merged report can still follow its parent: not if the parent was raised to another
    category, moved to another region, or withdrawn by its reporter."""
    are_alike = (report.category, report.region) == (parent.category, parent.region)
    return are_alike and parent.status in FOLLOWS


def followed(report: Report, parent: Report) -> Report:
    """Return a merged report, updated to the present state of its parent; `report` itself if
    nothing changes. An answered report adopts only the outcome of traffic evidence."""
    after = replace(report, outcome=parent.outcome)
    if report.status in QUEUE:
        after = _with_progress(after, parent)
    return report if after == report else replace(after, version=report.version + 1)


def on_its_own(report: Report) -> Report:
    """Return the report without a parent; unchanged if it has none.

    If the report is not answered yet, it is handled from the beginning: with the status ROUTED, no
    operator, and both clocks running to the dates that its reporter was told.
    """
    if report.parent is None:
        return report
    own = replace(report, parent=None, version=report.version + 1)
    if report.status not in QUEUE:
        return own
    assert report.deadline is not None
    own = replace(
        own,
        status=Status.ROUTED,
        operator="",
        position="",
        arrived_at=None,
        response_ended_at=None,
        response_step=None,
    )
    return own.with_deadline(report.deadline)


def unmerged(report: Report) -> Report:
    """Return the report without a parent, as `on_its_own` does. Raises StatusNotAllowed for a
    merged report that is answered, whose reporter may dispute the answer."""
    if report.parent is not None and report.status not in QUEUE:
        raise StatusNotAllowed(facts={"status": report.status.value})
    return on_its_own(report)


def answer_to_follower(language: str, outcome: str) -> str:
    """Return the answer to the reporter of a merged report. `outcome` is the name of its closing
    outcome in the same language."""
    return _ANSWERS[language].format(outcome=outcome)


def _with_progress(report: Report, parent: Report) -> Report:
    """The report with the status, unit, arrival and answer of its parent. The deadline of its own
    answer changes only if that of the parent is later, such as after an extension."""
    after = replace(
        report,
        status=FOLLOWS[parent.status],
        unit=parent.unit,
        answered_at=parent.answered_at,
        answered_by=parent.answered_by,
        closing_outcome=parent.closing_outcome,
        outcome=parent.outcome,
    )
    if report.response is not None:
        after = replace(
            after, arrived_at=parent.arrived_at, response_ended_at=parent.response_ended_at
        )
    if report.deadline is None or parent.deadline is None:
        return after
    due_at, due_of_parent = report.deadline.due_at, parent.deadline.due_at
    if due_at is None or due_of_parent is None or due_of_parent <= due_at:
        return after
    after = replace(after, extended_at=parent.extended_at or report.extended_at)
    return after.with_deadline(parent.deadline)


def _obstacle(report: Report, parent: Report) -> str:
    """The reason why `report` cannot be merged under `parent`; "" if it can."""
    if report.report_id == parent.report_id:
        return "same_report"
    if report.region != parent.region:
        return "other_region"
    if report.category != parent.category:
        return "other_category"
    if parent.parent is not None:
        return "parent_is_merged"
    if parent.status not in _MAY_BE_MERGED:
        return f"parent_{parent.status.value}"
    return "due_later" if _is_due_later(parent, report) else ""


def _is_due_later(parent: Report, report: Report) -> bool:
    """Whether one of the parent's clocks ends later than that of the report, or does not run."""
    for kind in DeadlineKind:
        due_at, due_of_parent = report.due_of(kind), parent.due_of(kind)
        if kind is DeadlineKind.RESPONSE and parent.response_ended_at is not None:
            continue
        if due_at is not None and (due_of_parent is None or due_of_parent > due_at):
            return True
    return False
