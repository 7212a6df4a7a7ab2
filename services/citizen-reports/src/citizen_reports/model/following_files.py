"""In an emergency a report is not held up by a large file: what was begun may follow submission."""

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
    """Return whether a draft may be submitted before the rest of its files has arrived."""
    return report.category in EMERGENCIES


def follows_until(report: Report) -> datetime | None:
    """Return until when the rest of the files of a submitted report is taken; None of a draft."""
    return report.receipt.registered_at + FOLLOW_LIFE if report.receipt else None


def rest_is_taken(report: Report, item: Media, now: datetime) -> bool:
    """Return whether the rest of a file is taken though its report was submitted. A report that is
    of another category by now keeps what was promised."""
    until = follows_until(report)
    is_open = until is not None and now < until and report.status not in ENDED
    return is_open and item.state is MediaState.RECEIVING


def looked_at(item: Media, now: datetime) -> datetime:
    """Return when it is looked at what became of a file that follows a report."""
    return now + (EXAMINED_WITHIN if item.is_whole else FOLLOW_LIFE)
