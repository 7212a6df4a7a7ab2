"""Streams, their leases and the account of their frames. No I/O.

From the moment when a stream was added, time is divided into slots of 1 / frames_per_second
seconds, numbered from 0. One frame is due in each slot. Each slot gets exactly one outcome, in
order. So the counts of the outcomes always add up to the number of slots that have an outcome.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

FRAMES_PER_SECOND_DEFAULT = 2.0


class Outcome(StrEnum):
    """What became of the frame that was due in a slot (one frame interval). The values are also the
    names of the database columns that count the outcomes."""

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
    """A stream as stored in the database. `address_sealed` is the encrypted RTSP address; `put_at`
    is when the stream was added; `generation` rises with each lease. Every slot (frame interval)
    before `accounted_until` has an outcome; `counts` has the number of these slots by outcome."""

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
        """The time, in seconds since the epoch, up to which every slot (frame interval) has an
        outcome."""
        return self.put_at.timestamp() + self.accounted_until / self.frames_per_second

    @property
    def session_id(self) -> UUID:
        """The id of the video session under the present lease. A new lease gives another id."""
        return uuid5(self.camera_id, f"{self.put_at.isoformat()}:{self.generation}")


@dataclass(frozen=True)
class Advance:
    """One update of a stream, written by the holder of its lease. It has the stream's state, and
    the number of slots (frame intervals) with each outcome. The slots are those from `begin` up to,
    but not including, `end`."""

    camera_id: UUID
    generation: int
    begin: int
    end: int
    counts: dict[Outcome, int]
    state: StreamState

    def __post_init__(self) -> None:
        assert sum(self.counts.values()) == self.end - self.begin, "a slot has one outcome"


def slot_at(seconds: float, *, put_at: float, frames_per_second: float) -> int:
    """Return the number of the slot (one frame interval) that contains the time `seconds`. `put_at`
    is when slot 0 began. Both times are in seconds since the epoch."""
    return math.floor((seconds - put_at) * frames_per_second + 1e-6)


class Slots:
    """Gives every slot (one frame interval) of a stream its outcome, in order. `until` is the first
    slot without an outcome."""

    def __init__(self, until: int) -> None:
        self.until = until
        self._begin = until
        self._counts: Counter[Outcome] = Counter()
        # Slots a frame came for, and a newer frame before anybody had time for it.
        self._came: set[int] = set()

    def came(self, slot: int) -> None:
        """Record that a frame arrived for a slot (frame interval); ignored if the slot already has
        an outcome."""
        if slot >= self.until:
            self._came.add(slot)

    def skip_to(self, slot: int, missing: Outcome) -> None:
        """Give an outcome to every slot (frame interval) before `slot` that has none. The outcome
        is STALE if a frame arrived for the slot, otherwise `missing`."""
        if slot <= self.until:
            return
        stale = sum(1 for came in self._came if came < slot)
        self._count(Outcome.STALE, stale)
        self._count(missing, slot - self.until - stale)
        self._came = {came for came in self._came if came >= slot}
        self.until = slot

    def settle(self, slot: int, outcome: Outcome) -> None:
        """Give `slot` its outcome. `slot` must be the first slot (frame interval) without one."""
        assert slot == self.until, "slots come to an outcome in order"
        self._came.discard(slot)
        self._count(outcome, 1)
        self.until = slot + 1

    def take(self) -> tuple[int, int, dict[Outcome, int]]:
        """Return what was recorded since the last call: the first slot, the slot after the last
        one, and the number of slots by outcome."""
        taken = (self._begin, self.until, dict(self._counts))
        self._begin, self._counts = self.until, Counter()
        return taken

    def _count(self, outcome: Outcome, slots: int) -> None:
        if slots:
            self._counts[outcome] += slots


def fair_share(streams: int, workers: int) -> int:
    """Return how many of the `streams` each worker may hold: an equal share, rounded up."""
    return math.ceil(streams / max(1, workers))
