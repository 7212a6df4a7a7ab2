"""Who looked at a report, as its reporter is told.

What is told names no officer. It must not differ for a report that was raised to a more secret
category either: neither capacity, unit nor purpose tells which category a report has now.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from citizen_reports.model.report import Report


class Capacity(StrEnum):
    """In what capacity somebody looked. Internal security are officers like all others: only
    complaints are shown to them, so that another word would tell that a report is one."""

    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    SERVICE = "service"


class Seen(StrEnum):
    """What of a report was shown."""

    TEXT = "text"
    REPORTER = "reporter"
    PLACE = "place"
    # A file in its clean form, a photograph in its blurred form, and a file as it was sent.
    MEDIA = "media"
    BLURRED = "blurred"
    ORIGINAL = "original"


class ViewingPurpose(StrEnum):
    """Why somebody looked. An operator's own words are told as OTHER: they may name a person or
    tell what the report is."""

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
    """One time that a report was shown to somebody. `unit` is the unit that had it then; "" where
    it was not recorded."""

    viewed_at: datetime
    capacity: Capacity
    unit: str
    purpose: ViewingPurpose
    seen: tuple[Seen, ...]


def capacity_of(roles: Collection[str]) -> Capacity:
    """Return the capacity of an operator with these roles."""
    return Capacity.SUPERVISOR if "supervisor" in roles else Capacity.OFFICER


def purpose_told(capacity: Capacity, purpose: str) -> ViewingPurpose:
    """Return the purpose that the reporter is told, for the purpose that the operator stated."""
    if capacity is Capacity.SERVICE:
        return ViewingPurpose.EVIDENCE
    return PURPOSES.get(purpose, ViewingPurpose.OTHER)


def unit_told(report: Report, unit: str) -> str:
    """Return the unit that the reporter is told: `unit`, but the unit of the receipt for
    complaints and for reports that were raised."""
    if report.receipt and (report.is_complaint or report.reported_category is not None):
        return report.receipt.unit
    return unit


def seen_in(words: Iterable[str]) -> tuple[Seen, ...]:
    """Return the parts of a report that an audit entry names, in the order of `Seen`."""
    named = set(words)
    return tuple(part for part in Seen if part.value in named)
