"""Streams, their leases and the account of their frames. Pure.

A frame is due every 1 / frames_per_second after the stream was added: slot 0, 1, 2… Each slot gets
exactly one outcome, in order, so the due slots always equal the sum of outcomes.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

FRAMES_PER_SECOND_DEFAULT = 2.0


class Outcome(StrEnum):
    """What became of the frame due in a slot; also the columns that count the outcomes."""

    LOOKED_AT = "looked_at"
    UNCHANGED = "unchanged"
    STALE = "stale"
    SHED = "shed"
    STREAM_AWAY = "stream_away"
    UNAUTHORIZED = "unauthorized"
    GARBLED = "garbled"
    MODELS_AWAY = "models_away"
    NO_WORKER = "no_worker"
    FAILED = "failed"


DROPPED = tuple(
    outcome for outcome in Outcome if outcome not in (Outcome.LOOKED_AT, Outcome.UNCHANGED)
)


class StreamState(StrEnum):
    WAITING = "waiting"
    LIVE = "live"
    FROZEN = "frozen"
    BLACK = "black"
    AWAY = "away"
    UNAUTHORIZED = "unauthorized"
    GARBLED = "garbled"


@dataclass(frozen=True)
class Stream:
    """A stream as stored. `accounted_until` is the first slot without an outcome."""

    camera_id: UUID
    region: str
    address_sealed: bytes = field(repr=False)
    frames_per_second: float
    put_at: datetime
    state: StreamState
    state_since: datetime
    worker: str
    generation: int
    accounted_until: int
    counts: dict[Outcome, int]

    @property
    def counted_until(self) -> float:
        """The moment until which slots have outcomes, in seconds since the epoch."""
        return self.put_at.timestamp() + self.accounted_until / self.frames_per_second

    @property
    def session_id(self) -> UUID:
        """The id of the session under this lease; the next holder's session has another id."""
        return uuid5(self.camera_id, f"{self.put_at.isoformat()}:{self.generation}")


@dataclass(frozen=True)
class Advance:
    """A step of a stream's account: how many of the slots from `begin` to before `end` had each
    outcome, and the stream's state, written by the holder of its lease."""

    camera_id: UUID
    generation: int
    begin: int
    end: int
    counts: dict[Outcome, int]
    state: StreamState

    def __post_init__(self) -> None:
        assert sum(self.counts.values()) == self.end - self.begin, "a slot has one outcome"


def slot_at(seconds: float, *, put_at: float, frames_per_second: float) -> int:
    """The slot that contains a moment; moments are in seconds since the epoch."""
    return math.floor((seconds - put_at) * frames_per_second + 1e-6)


class Slots:
    """Gives every slot of one stream its outcome, in order; `until` is the first slot without."""

    def __init__(self, until: int) -> None:
        self.until = until
        self._begin = until
        self._counts: Counter[Outcome] = Counter()
        # Slots a frame came for, and a newer frame before anybody had time for it.
        self._came: set[int] = set()

    def came(self, slot: int) -> None:
        """Record that a frame arrived for a slot; ignored if the slot already has its outcome."""
        if slot >= self.until:
            self._came.add(slot)

    def skip_to(self, slot: int, missing: Outcome) -> None:
        """Give all earlier slots an outcome: stale if a frame arrived, else `missing`."""
        if slot <= self.until:
            return
        stale = sum(1 for came in self._came if came < slot)
        self._count(Outcome.STALE, stale)
        self._count(missing, slot - self.until - stale)
        self._came = {came for came in self._came if came >= slot}
        self.until = slot

    def settle(self, slot: int, outcome: Outcome) -> None:
        """Give the next slot its outcome; all earlier slots must have an outcome."""
        assert slot == self.until, "slots come to an outcome in order"
        self._came.discard(slot)
        self._count(outcome, 1)
        self.until = slot + 1

    def take(self) -> tuple[int, int, dict[Outcome, int]]:
        """Return and reset what was counted since the last call: the first slot, the slot after the
        last, and the number of slots by outcome."""
        taken = (self._begin, self.until, dict(self._counts))
        self._begin, self._counts = self.until, Counter()
        return taken

    def _count(self, outcome: Outcome, slots: int) -> None:
        if slots:
            self._counts[outcome] += slots


def fair_share(streams: int, workers: int) -> int:
    """The number of streams that each of the workers may hold: an equal share, rounded up."""
    return math.ceil(streams / max(1, workers))
