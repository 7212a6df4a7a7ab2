"""What a listener heard and since when it missed nothing. Pure: moments and counts are passed in.

A listener that may have missed heartbeats cannot say who was silent. It may have missed some while
the broker was away, when heartbeats were lost, when its own loop stalled and when its clock jumped;
it notices this by comparing two `Look`s at itself, about a second apart.
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
    """How a heartbeat's date compares with its arrival; only WELL dated ones count."""

    WELL = "heard"
    AHEAD = "ahead"
    BEHIND = "behind"


def dated(sent_at: datetime, arrived_at: datetime, *, silence: timedelta) -> Dated:
    if sent_at > arrived_at + AHEAD_MAX:
        return Dated.AHEAD
    return Dated.BEHIND if sent_at <= arrived_at - silence else Dated.WELL


@dataclass
class Folded:
    """The latest heartbeat of each camera since the last `take`: id → (region, moment)."""

    beats: dict[UUID, tuple[str, datetime]] = field(default_factory=dict)

    def add(self, camera_id: UUID, region: str, at: datetime) -> bool:
        """False where there is no room for another camera: the heartbeat is lost."""
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
    """The state of a listener at a moment."""

    at: datetime
    # Of a clock that is never set, in seconds.
    monotonic: float
    connected: bool
    reconnects: int
    lost: int


def gap(before: Look | None, now: Look) -> str:
    """Why a heartbeat may have been missed between two looks; "" where none was."""
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
    """Since when no heartbeat was missed; None while the broker is away."""

    since: datetime | None = None
    _last: Look | None = None

    def begin(self) -> None:
        """For a new subscription: everything before it was missed."""
        self._last = None

    def look(self, now: Look) -> str:
        """Records a gap before this look; returns its cause, "" where there is none."""
        why = gap(self._last, now)
        if why:
            self.since = now.at if now.connected else None
        self._last = now
        return why
