"""Units of the police, officers and their postings; they decide who may see a complaint.

Units form a tree. An officer is posted to a unit from one moment until another. Ended postings are
kept, since a complaint is also hidden from officers who served with its subject at that time.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

UNIT_MAX, NAME_MAX, LOG_IN_MAX, BADGE_MAX = 64, 200, 64, 32


class UnitKind(StrEnum):
    MINISTRY = "ministry"
    DEPARTMENT = "department"
    DESK = "desk"
    INTERNAL_SECURITY = "internal_security"


@dataclass(frozen=True)
class Unit:
    """A unit of the police, such as "KZ-75-duty", from `valid_from` to `valid_until`, if any.

    `parent` is the unit above, "" for a root. `region` is an ISO 3166-2 code, "" for a unit that
    belongs to no region.
    """

    unit: str
    kind: UnitKind
    parent: str
    region: str
    name_kk: str
    name_ru: str
    valid_from: datetime
    valid_until: datetime | None = None

    def has_ended(self, moment: datetime) -> bool:
        """Whether the unit no longer exists at `moment`."""
        return self.valid_until is not None and self.valid_until <= moment


@dataclass(frozen=True)
class OfficerName:
    """The family and given names of an officer in one language."""

    family: str = ""
    given: str = ""


@dataclass(frozen=True)
class Posting:
    """The time that an officer serves in a unit; `ends_at` is None while no end is known."""

    posting_id: UUID
    unit: str
    starts_at: datetime
    ends_at: datetime | None = None

    def within(self, unit: Unit) -> "Posting":
        """Return the posting, with its end moved to that of the unit if it would end later."""
        ends = [moment for moment in (self.ends_at, unit.valid_until) if moment is not None]
        return replace(self, ends_at=min(ends, default=None))


@dataclass(frozen=True)
class Officer:
    """An officer. `log_in` is his name as an operator, `badge` his badge number; "" if he has none.

    Names and badge are personal data: they are stored encrypted.
    """

    officer_id: UUID
    log_in: str = ""
    badge: str = ""
    kk: OfficerName = OfficerName()
    ru: OfficerName = OfficerName()
    postings: tuple[Posting, ...] = ()


@dataclass(frozen=True)
class Subject:
    """The subject of a complaint: an officer, or a unit, or neither while it is not settled."""

    officer_id: UUID | None = None
    unit: str = ""

    @property
    def is_known(self) -> bool:
        """Whether an officer or a unit is named."""
        return self.officer_id is not None or bool(self.unit)
