"""Detects whether a listener may have missed reports of hubs.

Hubs are the control centres and edge boxes that report on cameras. A listener that may have missed
reports cannot tell whether a hub was silent. Reports may be missed while the broker is
disconnected, when messages are lost, when the listener's event loop stalls or when its clock jumps.
To detect this, two states of the listener (see `Look`), about a second apart, are compared. The
module is pure: moments and counts are passed in.
"""

from dataclasses import dataclass
from datetime import datetime

STALL_SECONDS = 10.0
CLOCK_JUMP_SECONDS = 2.0


@dataclass(frozen=True)
class Look:
    """The state of a listener at the moment `at`: its clocks, whether the broker is connected, and
    how many reconnections and lost reports there have been so far."""

    at: datetime
    # Of a clock that is never set, in seconds.
    monotonic: float
    connected: bool
    reconnects: int
    lost: int


def gap(before: Look | None, now: Look) -> str:
    """Return the reason why a report may have been missed between `before` and `now`; "" if none
    can have been missed. `before` is None for the first look of a subscription."""
    if not now.connected:
        return "the broker is away"
    if before is None:
        return "it has just begun to listen"
    if now.reconnects != before.reconnects:
        return "the broker was away"
    if now.lost != before.lost:
        return "reports were lost"
    passed = now.monotonic - before.monotonic
    if passed > STALL_SECONDS:
        return "its own loop stood still"
    if abs((now.at - before.at).total_seconds() - passed) > CLOCK_JUMP_SECONDS:
        return "its clock jumped"
    return ""


@dataclass
class Hearing:
    """Computes `since`, the moment since which a listener has missed no report, from successive
    looks at its state. `since` is None while the broker is disconnected."""

    since: datetime | None = None
    _last: Look | None = None

    def begin(self) -> None:
        """Start a new subscription: at the next look, every earlier report counts as missed."""
        self._last = None

    def look(self, now: Look) -> str:
        """Update `since` if a report may have been missed since the previous look. Returns the
        reason why one may have been missed, or "" if none can have been."""
        why = gap(self._last, now)
        if why:
            self.since = now.at if now.connected else None
        self._last = now
        return why
