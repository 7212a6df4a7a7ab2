"""The viewings of a report, as its reporter may learn of them through the app.

A viewing names no officer. Its capacity, unit and purpose must not reveal that the report was
raised to a more secret category.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from citizen_reports.model.report import Report


class Capacity(StrEnum):
    """The capacity in which somebody viewed a report. Internal security counts as OFFICER: it sees
    complaints only, so a capacity of its own would reveal that the report is a complaint."""

    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    SERVICE = "service"


class Seen(StrEnum):
    """A part of a report that was shown."""

    TEXT = "text"
    REPORTER = "reporter"
    PLACE = "place"
    # A file in its clean form, a photograph in its blurred form, and a file as it was sent.
    MEDIA = "media"
    BLURRED = "blurred"
    ORIGINAL = "original"


class ViewingPurpose(StrEnum):
    """Why somebody viewed a report. A purpose in an operator's own words becomes OTHER, since the
    words may name a person or reveal the category of the report."""

    HANDLING = "handling"
    OVERSIGHT = "oversight"
    COURT = "court"
    EVIDENCE = "evidence"
    OTHER = "other"


# The purposes that the console offers, in its three languages.
PURPOSES = {
    "Өтінішті қарау": ViewingPurpose.HANDLING,
    "Рассмотрение обращения": ViewingPurpose.HANDLING,
    "Handling of a report": ViewingPurpose.HANDLING,
    "Бақылау тексерісі": ViewingPurpose.OVERSIGHT,
    "Контрольная проверка": ViewingPurpose.OVERSIGHT,
    "Supervisory check": ViewingPurpose.OVERSIGHT,
    "Сот сұрауы": ViewingPurpose.COURT,
    "Запрос суда": ViewingPurpose.COURT,
    "Request of a court": ViewingPurpose.COURT,
}


@dataclass(frozen=True)
class Viewing:
    """One time that a report was shown to somebody, as its reporter is told. `unit` had the report
    at that time (but see `unit_told`); it is "" if no unit was recorded."""

    viewed_at: datetime
    capacity: Capacity
    unit: str
    purpose: ViewingPurpose
    seen: tuple[Seen, ...]


def capacity_of(roles: Collection[str]) -> Capacity:
    """Return the capacity in which an operator with these roles views reports."""
    return Capacity.SUPERVISOR if "supervisor" in roles else Capacity.OFFICER


def purpose_told(capacity: Capacity, purpose: str) -> ViewingPurpose:
    """Return the purpose to tell the reporter, for `purpose` as stated by the operator."""
    if capacity is Capacity.SERVICE:
        return ViewingPurpose.EVIDENCE
    return PURPOSES.get(purpose, ViewingPurpose.OTHER)


def unit_told(report: Report, unit: str) -> str:
    """Return the unit to tell the reporter: the unit of the receipt for complaints and for raised
    reports, otherwise `unit`, which had the report at the time of the viewing."""
    if report.receipt and (report.is_complaint or report.reported_category is not None):
        return report.receipt.unit
    return unit


def seen_in(words: Iterable[str]) -> tuple[Seen, ...]:
    """Return the parts of a report that these words of an audit entry name, in order of `Seen`."""
    named = set(words)
    return tuple(part for part in Seen if part.value in named)
