"""Damage of stored evidence, and the pace at which all evidence is read again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from chassis.refusals import Kind, Refusal

# SHA-256 hashes are spread evenly, so their first 48 bits tell how much of all evidence is read.
_DIGITS = 12
_ALL: int = 16**_DIGITS
LAST_SHA256 = "g"  # after every hash in hex


class Damage(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class EvidenceDamaged(Refusal):
    kind = Kind.DAMAGED
    code = "EVIDENCE_DAMAGED"

    def __init__(self, damage: Damage) -> None:
        super().__init__(facts={"damage": damage.value})
        self.damage = damage


@dataclass(frozen=True)
class DamagedEvidence:
    """A damaged object of the evidence store that is not repaired yet. `sha256` is the hash of the
    object's decrypted content."""

    damage_id: UUID
    sha256: str
    region: str
    only_role: str
    object_path: str
    damage: Damage
    found_at: datetime


@dataclass(frozen=True)
class Round:
    """One round of the evidence check, which reads all evidence once, in the order of the hashes.

    `read_until` is the hash up to which everything was read, LAST_SHA256 if this round has ended.
    `ended_at` is when the previous round ended; None in the first round.
    """

    began_at: datetime
    read_until: str = ""
    objects: int = 0
    ended_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        return self.read_until >= LAST_SHA256

    @property
    def read_share(self) -> float:
        """The share of all evidence that this round has read, from 0 to 1; estimated from
        `read_until`."""
        if self.has_ended:
            return 1.0
        return int(self.read_until[:_DIGITS].ljust(_DIGITS, "0"), 16) / _ALL

    def due_until(self, now: datetime, period: timedelta) -> str:
        """Return the hash up to which evidence must be read by `now`, if a round takes `period`."""
        share = max(0.0, (now - self.began_at) / period)
        return LAST_SHA256 if share >= 1 else f"{int(share * _ALL):0{_DIGITS}x}"

    def behind(self, now: datetime, period: timedelta) -> timedelta:
        """Return how late this round is at `now` if a round takes `period`; 0 if it is not late."""
        late = now - self.began_at - self.read_share * period
        return max(late, timedelta())
