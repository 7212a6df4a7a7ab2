"""The time of a film or stream, from timestamps that may jump, wrap, repeat or restart.

Performs no I/O. A frame's time is that of the previous frame plus the difference of their
timestamps. If this difference is implausible, a frame of a stream gets the time of its arrival, and
a frame of a film gets the time of the previous frame plus one usual frame interval.
"""

from typing import Final

# Plausible differences of timestamps. After a longer pause a camera starts anew.
STEP_MIN_SECONDS: Final = 0.001
STEP_MAX_SECONDS: Final = 10.0
# A slide show may be slower: this many times its own usual interval.
STEP_MAX_TIMES_USUAL: Final = 4.0
# The usual interval is learned from differences up to this.
USUAL_MAX_SECONDS: Final = 1.0
# Some muxers write frames this much out of order: no restart.
REORDER_SECONDS: Final = 0.5
# The share of `late_max` up to which a late frame keeps its difference from the previous one;
# beyond it the delay is reduced at a rate of CATCH_UP / late_max a second.
CALM_SHARE: Final = 0.5
CATCH_UP: Final = 4.0


class MediaClock:
    """Gives each frame a time in seconds, in decoding order. Times never decrease.

    For a stream, the method `date` gets each frame's time of arrival on a monotonic clock. The
    frame's time is on this clock too, never after the arrival and at most `late_max` seconds before
    it. The first frame gets a time `first_age` seconds before its arrival. So later frames with
    less delay can still get times from their timestamps.

    For a film, `date` gets no arrivals, and time counts from the first frame. Until a frame
    interval was measured, it is assumed to be `usual_step` seconds.
    """

    def __init__(
        self, *, usual_step: float = 0.04, late_max: float = 1.0, first_age: float = 0.0
    ) -> None:
        assert 0 <= first_age <= late_max
        self._usual = usual_step
        self._step_max = max(STEP_MAX_SECONDS, STEP_MAX_TIMES_USUAL * usual_step)
        self._late_max = late_max
        self._first_age = first_age
        self._seconds: float | None = None
        self._arrival = 0.0
        self._stamp: float | None = None
        # A timestamp and its time here; replaced when timestamps restart.
        self._anchor: tuple[float, float] | None = None
        # Frames since the last new timestamp that had none or the same.
        self._stamps_still = 0
        self.jumps = 0
        """How often timestamps jumped or restarted."""
        self.bridged = 0
        """How many frames were not dated by their own timestamp."""

    @property
    def seconds(self) -> float:
        """The time of the last frame in seconds; 0 before the first frame."""
        return self._seconds or 0.0

    @property
    def usual_step(self) -> float:
        """The last plausible frame interval, in seconds."""
        return self._usual

    @property
    def end(self) -> float:
        """The time in seconds at which the last frame ends, one usual frame interval after its
        start."""
        return 0.0 if self._seconds is None else self._seconds + self._usual

    def date(self, stamp: float | None, arrival: float | None = None) -> float:
        """The time of the next frame in seconds.

        `stamp` is the frame's timestamp in seconds, None if the frame has none. `arrival` is given
        for streams only, in seconds of a monotonic clock.
        """
        stamped = self._by_stamp(stamp)
        if arrival is not None:
            seconds = self._by_arrival(stamped, arrival)
            self._arrival = arrival
        elif self._seconds is None:
            seconds = 0.0
        else:
            seconds = self._seconds + self._usual if stamped is None else stamped
        self.bridged += stamped is None and self._seconds is not None
        self._remember(stamp, seconds, begun=stamped is None)
        return seconds

    def _by_stamp(self, stamp: float | None) -> float | None:
        """The time by the timestamp, None if implausible after the previous timestamp."""
        if stamp is None or self._stamp is None or self._anchor is None or self._seconds is None:
            return None
        step = stamp - self._stamp
        if not STEP_MIN_SECONDS <= step <= self._step_max:
            self.jumps += not -REORDER_SECONDS < step < STEP_MIN_SECONDS
            return None
        if step <= USUAL_MAX_SECONDS:
            self._usual = step / (1 + self._stamps_still)
        at_stamp, at_seconds = self._anchor
        seconds = at_seconds + stamp - at_stamp
        if seconds > self._seconds:
            return seconds
        # Bridged frames are already past this timestamp: continue from their time.
        self._anchor = (stamp, self._seconds + step)
        return self._seconds + step

    def _by_arrival(self, stamped: float | None, arrival: float) -> float:
        """The time of a frame, limited to the range that its arrival allows."""
        if self._seconds is None:
            return arrival - self._first_age
        if stamped is None or stamped >= arrival:
            seconds = arrival
        else:
            seconds = self._caught_up(stamped, arrival)
        # Never after the arrival, even if the clock was set back.
        seconds = min(max(seconds, self._seconds), arrival)
        if seconds != stamped:
            self._anchor = None
        return seconds

    def _caught_up(self, stamped: float, arrival: float) -> float:
        """The time of a frame, with the delay reduced if timestamps run slower than the clock."""
        excess = arrival - stamped - CALM_SHARE * self._late_max
        if excess <= 0:
            return stamped
        passed = max(0.0, arrival - self._arrival)
        nearer = stamped + excess * min(1.0, CATCH_UP / self._late_max * passed)
        return max(nearer, arrival - self._late_max)

    def _remember(self, stamp: float | None, seconds: float, *, begun: bool) -> None:
        apart = 0.0 if stamp is None or self._stamp is None else stamp - self._stamp
        is_still = self._seconds is not None and abs(apart) < STEP_MIN_SECONDS
        self._stamps_still = self._stamps_still + 1 if is_still else 0
        # After a repeated or reordered timestamp, the next one may be right again.
        stays = -REORDER_SECONDS < apart < STEP_MIN_SECONDS
        if stamp is not None and (self._anchor is None or (begun and not stays)):
            self._anchor = (stamp, seconds)
        self._stamp = self._stamp if stamp is None else stamp
        self._seconds = seconds
