"""The account of a video: how much of its time was processed, how much omitted, and why. No I/O.

A video is divided into cells of at most a second, and each cell gets one outcome. So the video's
length is always the sum of the processed and the omitted time. Time is counted in whole
milliseconds.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

CELL_SECONDS_MAX = 1.0
# As a share of a cell: times come as fractions, 0.4999 belongs to 0.5.
ROUNDING = 0.01


class Outcome(IntEnum):
    """Whether a cell (at most a second) of a video was processed, or why not. If several outcomes
    apply to a cell, the one with the highest value is recorded."""

    # The rest of the film was not read: it is longer than what is taken at once.
    BEYOND_LIMIT = 0
    # The file announces it and does not hold it.
    MISSING = 1
    # No new picture came: a pause of the recording, or a film of still pictures.
    NO_PICTURE = 2
    # It is in the file, and the decoder made nothing of it.
    UNDECODABLE = 3
    # The decoder made something of it that is not what the camera saw.
    DAMAGED = 4
    # There was a good picture, and fewer than one a second were asked for.
    NOT_SAMPLED = 5
    LOOKED_AT = 6

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class VideoSummary:
    """How much of a video was processed: its length, and the processed and omitted time, in
    milliseconds. `notes` lists the repairs that were needed to read the video."""

    offered_ms: int
    looked_at_ms: int
    # By outcome; only what there is.
    left_out_ms: dict[Outcome, int]
    # How often its time stamps jumped or began again.
    discontinuities: int = 0
    notes: tuple[str, ...] = ()
    # When its first frame was taken.
    started_at: datetime | None = None

    def __post_init__(self) -> None:
        assert self.offered_ms == self.looked_at_ms + sum(self.left_out_ms.values())


@dataclass
class VideoAccount:
    """Collects the outcome of every cell (at most a second) of a video. Frames must be recorded in
    order of time; `leave_out` records time without frames."""

    frames_per_second: float
    discontinuities: int = 0
    notes: set[str] = field(default_factory=set)
    _cell: int = 0
    _outcome: Outcome | None = None
    # What explains cells in which no frame lies.
    _gap: Outcome = Outcome.NO_PICTURE
    _ms: Counter[Outcome] = field(default_factory=Counter)

    @property
    def offered_ms(self) -> int:
        return self._ms.total()

    def frame(self, seconds: float, outcome: Outcome) -> None:
        """Record a frame at `seconds` from the start of the video, and its outcome."""
        cell = max(self._cell, math.floor(seconds / self._cell_seconds + ROUNDING))
        if cell > self._cell:
            self._close_until(self._ms_of(cell), self._outcome)
            self._cell, self._outcome = cell, None
        self._outcome = max(outcome, self._outcome or outcome)
        if outcome > Outcome.DAMAGED:
            self._gap = Outcome.NO_PICTURE

    def undecodable(self) -> None:
        """Record that data could not be decoded. From now on, cells without a frame get the outcome
        UNDECODABLE, until a good frame is recorded."""
        self._gap = Outcome.UNDECODABLE

    def leave_out(self, until_seconds: float, outcome: Outcome) -> None:
        """Give `outcome` to the time from the end of the last frame's cell until `until_seconds`,
        counted from the start of the video."""
        until = max(round(until_seconds * 1000), self.offered_ms)
        if self._outcome is not None:
            self._close_until(min(until, self._ms_of(self._cell + 1)), self._outcome)
        self._cell, self._outcome = math.ceil(until / 1000 / self._cell_seconds), None
        self._ms[outcome] += until - self.offered_ms

    def end(self, seconds: float) -> None:
        """Account for the time up to `seconds` from the start of the video. `seconds` is the end of
        the last frame, or the limit at which reading stopped. Time without a frame gets the outcome
        NO_PICTURE, or UNDECODABLE if `undecodable` was called."""
        self.leave_out(seconds, self._gap)

    def summary(self, started_at: datetime | None = None) -> VideoSummary:
        by_outcome = {outcome: ms for outcome, ms in sorted(self._ms.items()) if ms}
        return VideoSummary(
            self.offered_ms,
            by_outcome.pop(Outcome.LOOKED_AT, 0),
            by_outcome,
            self.discontinuities,
            tuple(sorted(self.notes)),
            started_at,
        )

    @property
    def _cell_seconds(self) -> float:
        return min(CELL_SECONDS_MAX, 1 / self.frames_per_second)

    def _ms_of(self, cell: int) -> int:
        return round(cell * self._cell_seconds * 1000)

    def _close_until(self, until: int, outcome: Outcome | None) -> None:
        """Count the open cell with its outcome, and following cells without a frame as `_gap`."""
        if outcome is not None:
            own = min(until, self._ms_of(self._cell + 1))
            self._ms[outcome] += own - self.offered_ms
        self._ms[self._gap] += until - self.offered_ms
