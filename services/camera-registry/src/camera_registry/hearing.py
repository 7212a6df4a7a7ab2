"""The heartbeats that a listener received and since when it missed none. Pure: moments and counts
are passed in.

A listener that may have missed heartbeats cannot tell which cameras were silent. It may have missed
some while the broker was disconnected, when messages were lost, when its event loop stalled and
when its clock jumped. It detects this by comparing two `Look`s, about a second apart.
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
    """How a heartbeat's date compares with its arrival. Only heartbeats that are dated WELL
    count."""

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
        """Add a heartbeat. Returns False if it is lost: no room for another camera."""
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
    """A listener's state at a moment, with the counts of reconnections and lost heartbeats so
    far."""

    at: datetime
    # Of a clock that is never set, in seconds.
    monotonic: float
    connected: bool
    reconnects: int
    lost: int


def gap(before: Look | None, now: Look) -> str:
    """Return why a heartbeat may have been missed between two looks (None: no look before), "" if
    none was."""
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
    """Keeps the moment since which a listener missed no heartbeat (`since`), from its looks; None
    while the broker is disconnected."""

    since: datetime | None = None
    _last: Look | None = None

    def begin(self) -> None:
        """Start a new subscription: every earlier heartbeat counts as missed."""
        self._last = None

    def look(self, now: Look) -> str:
        """Record a gap before this look. Returns its cause, "" if no heartbeat was missed."""
        why = gap(self._last, now)
        if why:
            self.since = now.at if now.connected else None
        self._last = now
        return why
