"""Plates that a model read in photographs of a traffic violation. They are proposals: a person
decides which plate it is, and whether it is an offence."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from citizen_reports.model.categories import Category
from citizen_reports.model.media import Media, MediaState
from citizen_reports.model.media_kinds import FAMILY_OF, Family
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status

PROPOSALS_MAX = 5
# Of reports on which nobody decides any more, no plate is read.
_DECIDED = frozenset({Status.ANSWERED, Status.CLOSED, Status.WITHDRAWN})


@dataclass(frozen=True)
class ProposedPlate:
    """A plate as it was read. `confidence`, 0 to 1, is that of its weakest character."""

    media_id: UUID
    text: str
    confidence: float


def wants_plates(report: Report, item: Media) -> bool:
    """Whether plates are to be proposed for a file: it is a photograph in the evidence store, of a
    report of a traffic violation that is not decided yet."""
    is_open = report.status not in _DECIDED and not report.offence_code
    is_photograph = FAMILY_OF.get(item.announced.content_type) is Family.PHOTOGRAPH
    is_stored = item.state is MediaState.STORED
    return report.category is Category.TRAFFIC_VIOLATION and is_open and is_photograph and is_stored


def surest(plates: Iterable[ProposedPlate]) -> tuple[ProposedPlate, ...]:
    """Return the plates to propose for a photograph, those of the highest confidence first."""
    return tuple(sorted(plates, key=lambda plate: -plate.confidence)[:PROPOSALS_MAX])
