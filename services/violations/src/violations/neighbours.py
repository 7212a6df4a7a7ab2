"""Compares a violation with others of the same vehicle. Two violations may be of the same passage
(one drive past one place). Or they may contradict each other, because the vehicle cannot have been
at both places.

Pure: no clock, no storage.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from law.guards import Guards, Journey, Sighting

from violations.model import Hold, Source, State, Violation

# Nothing can be concluded from a moment or a place that is itself in doubt.
MOMENT_IN_DOUBT = frozenset(
    {Hold.DEVICE_DIFFERS, Hold.DEVICE_CLOCK_AHEAD, Hold.DEVICE_CLOCK_BEHIND}
)


@dataclass(frozen=True)
class Neighbour:
    """Another violation of the same vehicle, with only those fields that are compared."""

    violation_id: UUID
    source: Source
    state: State
    hold: Hold
    version: int
    region: str
    camera_id: UUID | None
    rule: str
    sighting: Sighting

    @property
    def is_open_or_confirmed(self) -> bool:
        return self.state in (State.REVIEW, State.CONFIRMED)


def sighting_of(violation: Violation) -> Sighting:
    place = violation.place
    return Sighting(place.latitude, place.longitude, violation.occurred_at)


def holds_others(violation: Violation | Neighbour) -> bool:
    """Whether a violation is certain enough to justify a hold of others that contradict it. Its
    place and time must come from a device whose identity and clock are not in doubt."""
    return violation.source is Source.DEVICE and violation.hold not in MOMENT_IN_DOUBT


def is_same_passage(
    violation: Violation, rule: str, other: Neighbour, *, guards: Guards, camera_window: timedelta
) -> bool:
    """Whether `other` is of the same passage (drive past one place) as the violation. It is, if a
    device recorded `other` for the rule `rule`, near enough in place and time.

    Records of one camera must be at most `camera_window` apart in time. For different cameras,
    `guards.passage` limits time and distance.
    """
    if other.source is not Source.DEVICE or other.rule != rule:
        return False
    here = sighting_of(violation)
    if other.camera_id == violation.camera_id:
        return here.time_to(other.sighting) <= camera_window
    return guards.passage.is_same(here, other.sighting)


def contradicting(
    violation: Violation, others: Iterable[Neighbour], journey: Journey
) -> list[Neighbour]:
    """Return the violations among `others` that contradict the violation: the vehicle could not
    have driven between the two places in the time between them. Rejected and annulled ones are left
    out."""
    here = sighting_of(violation)
    return [
        other
        for other in others
        if other.is_open_or_confirmed and not journey.is_possible(here, other.sighting)
    ]
