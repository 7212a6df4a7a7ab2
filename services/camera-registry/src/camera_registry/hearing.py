"""Collects the heartbeats that a listener received, and detects whether it may have missed any.

A listener that may have missed heartbeats cannot tell which cameras were silent. It may have missed
some while the broker was disconnected, when messages were lost, when its event loop stalled or when
its clock jumped. It detects this by comparing its state at two moments about a second apart
(`Look`). The module is pure: moments and counts are passed in.
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
    """How the sending time in a heartbeat compares with its arrival: plausible (WELL), too far in
    the future (AHEAD) or too old (BEHIND). Only WELL heartbeats are stored."""

    WELL = "heard"
    AHEAD = "ahead"
    BEHIND = "behind"


def dated(sent_at: datetime, arrived_at: datetime, *, silence: timedelta) -> Dated:
    if sent_at > arrived_at + AHEAD_MAX:
        return Dated.AHEAD
    return Dated.BEHIND if sent_at <= arrived_at - silence else Dated.WELL


@dataclass
class Folded:
    """The latest heartbeat of each camera since the last call of `take`.

    `beats` maps the camera's id to its region and the heartbeat's time.
    """

    beats: dict[UUID, tuple[str, datetime]] = field(default_factory=dict)

    def add(self, camera_id: UUID, region: str, at: datetime) -> bool:
        """Keep a heartbeat if it is the camera's latest. Returns False if it is discarded because
        FOLDED_MAX other cameras are already kept."""
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
    """The state of a listener at the moment `at`: its clocks, whether the broker is connected, and
    how many reconnections and lost heartbeats there have been so far."""

    at: datetime
    # Of a clock that is never set, in seconds.
    monotonic: float
    connected: bool
    reconnects: int
    lost: int


def gap(before: Look | None, now: Look) -> str:
    """Return the reason why a heartbeat may have been missed between `before` and `now`; "" if none
    can have been missed. `before` is None for the first look of a subscription."""
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
    """Computes `since`, the moment since which a listener has missed no heartbeat, from successive
    looks at its state. `since` is None while the broker is disconnected."""

    since: datetime | None = None
    _last: Look | None = None

    def begin(self) -> None:
        """Start a new subscription: every earlier heartbeat counts as missed."""
        self._last = None

    def look(self, now: Look) -> str:
        """Update `since` if a heartbeat may have been missed since the previous look. Returns the
        reason why one may have been missed, or "" if none can have been."""
        why = gap(self._last, now)
        if why:
            self.since = now.at if now.connected else None
        self._last = now
        return why
