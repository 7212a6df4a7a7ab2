"""The time of a film or stream, from stamps that may jump, wrap, stand still or begin again. Pure.

A stamp counts by its distance from the one before. Where that cannot be true, a frame of a stream
is dated by its arrival, and one of a film by the usual distance of its frames.
"""

from typing import Final

# Distances of stamps that are believed. A camera that stops for longer begins again.
STEP_MIN_SECONDS: Final = 0.001
STEP_MAX_SECONDS: Final = 10.0
# A film of still pictures may be slower: so many times its own usual distance.
STEP_MAX_TIMES_USUAL: Final = 4.0
# What a distance is bridged with is learned from distances up to this.
USUAL_MAX_SECONDS: Final = 1.0
# Frames this much out of order are a habit of some muxers and no new beginning.
REORDER_SECONDS: Final = 0.5
# The share of `late_max` up to which a late frame keeps its distance from the one before; further
# lateness is made up for at this many times 1 / late_max a second.
CALM_SHARE: Final = 0.5
CATCH_UP: Final = 4.0


class MediaClock:
    """Seconds of each frame, in the order in which frames are decoded; they never decrease.

    With `arrival`, a steady clock's seconds at which each frame came: the frame is dated on that
    clock, never after its arrival and at most `late_max` seconds before. The first is taken to be
    `first_age` seconds old, so that those which come a little sooner keep their distance.

    Without it: seconds from the first frame, `usual_step` being the distance of frames that is
    assumed until one was seen.
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
        # Where on our time which stamp lies; moved where stamps begin again.
        self._anchor: tuple[float, float] | None = None
        # Frames that came without a stamp, or with the same, since the last one.
        self._stamps_still = 0
        self.jumps = 0
        """How often stamps jumped or began again."""
        self.bridged = 0
        """Frames whose own stamp did not date them."""

    @property
    def seconds(self) -> float:
        """Of the frame that was dated last; 0 before the first."""
        return self._seconds or 0.0

    @property
    def usual_step(self) -> float:
        """Seconds from frame to frame, as they were last."""
        return self._usual

    @property
    def end(self) -> float:
        """When the frame that was dated last is over, as frames usually are."""
        return 0.0 if self._seconds is None else self._seconds + self._usual

    def date(self, stamp: float | None, arrival: float | None = None) -> float:
        """The seconds of the next frame, by the stamp that it bears and when it came."""
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
        """Where the stamp puts the frame; None where its distance from the last is not believed."""
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
        # Frames without a stamp of use were bridged past it: on from where they have come to.
        self._anchor = (stamp, self._seconds + step)
        return self._seconds + step

    def _by_arrival(self, stamped: float | None, arrival: float) -> float:
        """The same, within the bounds that the frame's arrival sets."""
        if self._seconds is None:
            return arrival - self._first_age
        if stamped is None or stamped >= arrival:
            seconds = arrival
        else:
            seconds = self._caught_up(stamped, arrival)
        # A clock that was set back takes our time with it: never after the arrival.
        seconds = min(max(seconds, self._seconds), arrival)
        if seconds != stamped:
            self._anchor = None
        return seconds

    def _caught_up(self, stamped: float, arrival: float) -> float:
        """Stamps that run slower than the clock are followed instead of falling behind for ever."""
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
        # A stamp that stands still or is out of order may be right again with the next frame.
        stays = -REORDER_SECONDS < apart < STEP_MIN_SECONDS
        if stamp is not None and (self._anchor is None or (begun and not stays)):
            self._anchor = (stamp, seconds)
        self._stamp = self._stamp if stamp is None else stamp
        self._seconds = seconds
