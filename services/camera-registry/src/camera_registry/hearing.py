"""What a listener heard and since when it missed nothing. Pure: moments and counts are passed in.

A listener that was deaf does not know who was silent. It was deaf while the broker was away, when
beats were lost, when its own loop stood still and when its clock jumped; it learns so by comparing
two `Look`s at itself, a second or so apart.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

# Heartbeats are dated by their senders: bounded both ways against their arrival.
AHEAD_MAX = timedelta(minutes=1)
STALL_SECONDS = 10.0
CLOCK_JUMP_SECONDS = 2.0
FOLDED_MAX = 100_000


class Dated(StrEnum):
    """How a heartbeat's date stands to its arrival; what is not well dated says nothing."""

    WELL = "heard"
    AHEAD = "ahead"
    BEHIND = "behind"


def dated(sent_at: datetime, arrived_at: datetime, *, silence: timedelta) -> Dated:
    if sent_at > arrived_at + AHEAD_MAX:
        return Dated.AHEAD
    return Dated.BEHIND if sent_at <= arrived_at - silence else Dated.WELL


@dataclass
class Folded:
    """The latest sign of life of each camera since it was last taken: id → (region, moment)."""

    beats: dict[UUID, tuple[str, datetime]] = field(default_factory=dict)

    def add(self, camera_id: UUID, region: str, at: datetime) -> bool:
        """False where there is no room for one more camera: the beat is lost."""
        known = self.beats.get(camera_id)
        if known is None and len(self.beats) >= FOLDED_MAX:
            return False
        if known is None or known[1] < at:
            self.beats[camera_id] = (region, at)
        return True

    def take(self) -> dict[UUID, tuple[str, datetime]]:
        taken, self.beats = self.beats, {}
        return taken


@dataclass(frozen=True)
class Look:
    """A listener's look at itself."""

    at: datetime
    # Of a clock that is never set, in seconds.
    monotonic: float
    connected: bool
    reconnects: int
    lost: int


def gap(before: Look | None, now: Look) -> str:
    """Why something may have been missed between two looks; empty where nothing was."""
    if not now.connected:
        return "the broker is away"
    if before is None:
        return "it has just begun to listen"
    if now.reconnects != before.reconnects:
        return "the broker was away"
    if now.lost != before.lost:
        return "heartbeats were lost"
    passed = now.monotonic - before.monotonic
    if passed > STALL_SECONDS:
        return "its own loop stood still"
    if abs((now.at - before.at).total_seconds() - passed) > CLOCK_JUMP_SECONDS:
        return "its clock jumped"
    return ""


@dataclass
class Hearing:
    """Since when nothing was missed; None while the listener is deaf."""

    since: datetime | None = None
    _last: Look | None = None

    def begin(self) -> None:
        """A new subscription: what came before it was missed."""
        self._last = None

    def look(self, now: Look) -> str:
        """Takes notice of a gap before this look, and says why there was one."""
        why = gap(self._last, now)
        if why:
            self.since = now.at if now.connected else None
        self._last = now
        return why
