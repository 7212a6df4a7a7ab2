"""Rules for files whose upload continues after their report was submitted, as in emergencies."""

from datetime import datetime, timedelta

from citizen_reports.model.categories import EMERGENCIES
from citizen_reports.model.media import Media, MediaState
from citizen_reports.model.report import Report
from citizen_reports.model.retention import ENDED

FOLLOW_LIFE = timedelta(days=1)  # tidy: our own promise, not a term
# A file that arrived whole is examined in the call of its last piece; if that was cut off, by work
# after this.
EXAMINED_WITHIN = timedelta(seconds=20)  # tidy: our own promise, not a term
# Why a file was refused of which no more came.
NOT_ARRIVED = "MEDIA_INCOMPLETE"


def may_follow(report: Report) -> bool:
    """Return whether a report may be submitted before its files are completely uploaded."""
    return report.category in EMERGENCIES


def follows_until(report: Report) -> datetime | None:
    """Return until when uploads of a submitted report may continue; None for a draft."""
    return report.receipt.registered_at + FOLLOW_LIFE if report.receipt else None


def rest_is_taken(report: Report, item: Media, now: datetime) -> bool:
    """Return whether the upload of a file may continue although its report was submitted. This
    holds even if the report has another category since, which would not allow it."""
    until = follows_until(report)
    is_open = until is not None and now < until and report.status not in ENDED
    return is_open and item.state is MediaState.RECEIVING


def looked_at(item: Media, now: datetime) -> datetime:
    """Return when to check the upload of a file that continues after submission."""
    return now + (EXAMINED_WITHIN if item.is_whole else FOLLOW_LIFE)
