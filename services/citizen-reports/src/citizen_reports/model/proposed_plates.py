"""Plates that a model read in photographs of a traffic violation. They are proposals: an operator
decides which plate is right, and whether there is an offence."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from citizen_reports.model.categories import Category
from citizen_reports.model.media import Media, MediaState
from citizen_reports.model.media_kinds import FAMILY_OF, Family
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status

PROPOSALS_MAX = 5
# Statuses of reports in whose photographs no plates are read: nobody decides on them any more.
_DECIDED = frozenset({Status.ANSWERED, Status.CLOSED, Status.WITHDRAWN})


@dataclass(frozen=True)
class ProposedPlate:
    """A plate read in the photograph `media_id`; `confidence` is the lowest of its characters'."""

    media_id: UUID
    text: str
    confidence: float


def wants_plates(report: Report, item: Media) -> bool:
    """Whether plates are to be proposed for the file `item`: it is a photograph in the evidence
    store, and its report is one of a traffic violation on which nobody has decided yet."""
    is_open = report.status not in _DECIDED and not report.offence_code
    is_photograph = FAMILY_OF.get(item.announced.content_type) is Family.PHOTOGRAPH
    is_stored = item.state is MediaState.STORED
    return report.category is Category.TRAFFIC_VIOLATION and is_open and is_photograph and is_stored


def surest(plates: Iterable[ProposedPlate]) -> tuple[ProposedPlate, ...]:
    """Return the plates to propose: the PROPOSALS_MAX of highest confidence, the highest first."""
    return tuple(sorted(plates, key=lambda plate: -plate.confidence)[:PROPOSALS_MAX])
