"""Guards: pure checks of a recorded offence; if one fails, an officer decides before any fine.

guards = load().at(measured_at)                  # the edition in force; raises EditionMissing
guards.passage.is_same(first, second)            # do two records show one passage of one car?
guards.journey.is_possible(first, second)        # can one vehicle have been at both places?
guards.readings.why_held(rule, measured)         # a HoldReason, or None
guards.device_clock.why_held(measured_at, received_at)  # a HoldReason, or None
guards.camera_kinds.may_find(kind, rule)         # may this kind of camera detect the offence?
is_verified(valid_from, valid_until, at)         # was the device's verification valid at `at`?
"""

from law.editions import EditionMissing, Editions
from law.guards.camera_kinds import CameraKinds
from law.guards.device_clock import DeviceClock
from law.guards.holds import HoldReason
from law.guards.journey import Journey
from law.guards.passage import Passage
from law.guards.readings import Measured, ReadingBounds, Rule
from law.guards.sightings import Sighting
from law.guards.table import Guards, TableWrong, load, read
from law.guards.verification import is_verified

__all__ = [
    "CameraKinds",
    "DeviceClock",
    "EditionMissing",
    "Editions",
    "Guards",
    "HoldReason",
    "Journey",
    "Measured",
    "Passage",
    "ReadingBounds",
    "Rule",
    "Sighting",
    "TableWrong",
    "is_verified",
    "load",
    "read",
]
