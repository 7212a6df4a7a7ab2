"""The actions that a reporter may take on his report now, through the app.

An action is offered if the function of the model that decides on it raises no refusal. These
functions are called on trial, which changes nothing.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from law.report_deadlines import Deadline

from citizen_reports.model.actions import is_accepted
from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.receipt import Receipt
from citizen_reports.model.report import Report
from citizen_reports.model.withdrawal import withdrawn


class ReporterAction(StrEnum):
    PUT_MEDIA = "put_media"
    SUBMIT = "submit"
    REPLY = "reply"
    DISPUTE = "dispute"
    WITHDRAW = "withdraw"


def actions_of_reporter(
    report: Report, deadlines: Deadlines, now: datetime, require_complete: Callable[[], object]
) -> tuple[ReporterAction, ...]:
    """Return the actions that the reporter may take at `now` without being refused.

    `require_complete` raises a refusal if a draft lacks something without which it cannot be
    submitted, such as the rest of a file.
    """
    # Submission and dispute need a deadline, whose value does not decide whether they are allowed.
    any_deadline = report.deadline or Deadline(now, "")
    receipt = Receipt("", now, any_deadline, report.unit, b"")
    attempts: dict[ReporterAction, Callable[[], object]] = {
        ReporterAction.PUT_MEDIA: report.with_another_file,
        ReporterAction.SUBMIT: lambda: (report.submit(receipt), require_complete()),
        ReporterAction.REPLY: lambda: report.reply(now, deadlines),
        ReporterAction.DISPUTE: lambda: report.dispute(now, any_deadline),
        ReporterAction.WITHDRAW: lambda: withdrawn(report),
    }
    return tuple(action for action, attempt in attempts.items() if is_accepted(attempt))
