"""Rules for files whose upload continues after their report was submitted, as in emergencies."""

from datetime import datetime, timedelta

from citizen_reports.model.categories import EMERGENCIES
from citizen_reports.model.media import Media, MediaState
from citizen_reports.model.report import Report
from citizen_reports.model.retention import ENDED

FOLLOW_LIFE = timedelta(days=1)  # tidy: our own promise, not a term
# The call that uploads the last piece of a file also examines the file. If that call was cut off,
# scheduled work does so after this time.
EXAMINED_WITHIN = timedelta(seconds=20)  # tidy: our own promise, not a term
# The reason of refusal of a file whose upload was not completed in time.
NOT_ARRIVED = "MEDIA_INCOMPLETE"


def may_follow(report: Report) -> bool:
    """Return whether a report may be submitted before its files are completely uploaded."""
    return report.category in EMERGENCIES


def follows_until(report: Report) -> datetime | None:
    """Return until when uploads of a submitted report may continue; None for a draft."""
    return report.receipt.registered_at + FOLLOW_LIFE if report.receipt else None


def rest_is_taken(report: Report, item: Media, now: datetime) -> bool:
    """Return whether the upload of a file may continue although its report was submitted. The
    present category does not matter: the report may have been raised since."""
    until = follows_until(report)
    is_open = until is not None and now < until and report.status not in ENDED
    return is_open and item.state is MediaState.RECEIVING


def looked_at(item: Media, now: datetime) -> datetime:
    """Return when scheduled work must check a file whose upload continues after submission."""
    return now + (EXAMINED_WITHIN if item.is_whole else FOLLOW_LIFE)
