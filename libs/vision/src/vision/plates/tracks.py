"""Tracks plates over the frames of a camera, and combines their readings by vote.

Performs no I/O. A plate belongs to the track whose last text equals the plate's text. If there is
no such track, it belongs to the track whose last box overlaps the plate's box most. All times are
those of the frames.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from vision.plates.reading import Characters, Plate

SAME_PLACE: Final = 0.2
FORGET_SECONDS: Final = 3.0
MOST_READINGS: Final = 50
"""How many readings a track keeps, the strongest; limits the memory for a parked car."""


@dataclass(slots=True)
class PlateTrack:
    """One plate over several frames.

    The field `last_seen` is the time of the plate's last frame in seconds. The field `best` is its
    most confident reading, whose frame becomes the evidence. The field `last` is its latest
    reading.
    """

    number: int
    last_seen: float
    best: Plate
    last: Plate
    readings: list[Characters] = field(default_factory=list)
    frames: int = 1

    @property
    def vote(self) -> Characters:
        """The text that the readings of this plate support most; see `voted`."""
        return voted(self.readings)


class PlateTracker:
    """Tracks the plates that one camera sees. Frames must be added in the order of their time."""

    def __init__(self, *, forget_seconds: float = FORGET_SECONDS) -> None:
        self._forget_seconds = forget_seconds
        self._open: list[PlateTrack] = []
        self._next = 1
        self._looked_at = 0.0

    def add(self, plates: Iterable[Plate], *, at: float) -> list[PlateTrack]:
        """Add the plates of a frame taken at `at` seconds; return the tracks that have ended.

        A track ends when its plate has not been seen for `forget_seconds`.
        """
        ended = self._ended_by(at)
        self._looked_at = at
        free = list(self._open)
        for plate in plates:
            track = _nearest(plate, free)
            if track is None:
                self._open.append(self._started(plate, at=at))
            else:
                free.remove(track)
                _extend(track, plate, at=at)
        return ended

    def tick(self, *, at: float) -> list[PlateTrack]:
        """Record that the picture at `at` seconds is unchanged; return the tracks that have ended.

        Plates seen in the last frame thus count as seen at `at`.
        """
        for track in self._open:
            if track.last_seen == self._looked_at:
                track.last_seen = at
        self._looked_at = at
        return self._ended_by(at)

    @property
    def open(self) -> tuple[PlateTrack, ...]:
        """The tracks that have not ended."""
        return tuple(self._open)

    def finish(self) -> list[PlateTrack]:
        """End all open tracks, at the end of a film, and return them."""
        ended, self._open = self._open, []
        return ended

    def _ended_by(self, at: float) -> list[PlateTrack]:
        ended = [track for track in self._open if at - track.last_seen > self._forget_seconds]
        self._open = [track for track in self._open if track not in ended]
        return ended

    def _started(self, plate: Plate, *, at: float) -> PlateTrack:
        track = PlateTrack(self._next, at, plate, plate, [_characters(plate)])
        self._next += 1
        return track


def voted(readings: list[Characters]) -> Characters:
    """The text that the readings support most, by votes weighted with their confidences.

    The first vote is on the length, then one on each character. A character's confidence is the
    highest of its readings, times its share of the votes.
    """
    if not readings:
        return Characters("", ())
    by_length: dict[int, float] = defaultdict(float)
    for reading in readings:
        by_length[len(reading.text)] += reading.weakest
    length = max(by_length, key=lambda size: (by_length[size], size))
    voters = [reading for reading in readings if len(reading.text) == length]
    text, confidences = "", []
    for place in range(length):
        votes: dict[str, float] = defaultdict(float)
        best: dict[str, float] = defaultdict(float)
        for reading in voters:
            character, confidence = reading.text[place], reading.confidences[place]
            votes[character] += confidence
            best[character] = max(best[character], confidence)
        winner = max(votes, key=lambda character: votes[character])
        text += winner
        confidences.append(best[winner] * votes[winner] / max(sum(votes.values()), 1e-9))
    return Characters(text, tuple(confidences))


def _nearest(plate: Plate, tracks: list[PlateTrack]) -> PlateTrack | None:
    same_text = [track for track in tracks if track.last.text == plate.text]
    if same_text:
        return max(same_text, key=lambda track: track.last.box.iou(plate.box))
    nearest = max(tracks, key=lambda track: track.last.box.iou(plate.box), default=None)
    if nearest is None or nearest.last.box.iou(plate.box) < SAME_PLACE:
        return None
    return nearest


def _extend(track: PlateTrack, plate: Plate, *, at: float) -> None:
    track.last, track.last_seen = plate, at
    track.frames += 1
    if plate.confidence > track.best.confidence:
        track.best = plate
    track.readings.append(_characters(plate))
    if len(track.readings) > MOST_READINGS:
        track.readings.remove(min(track.readings, key=lambda reading: reading.weakest))


def _characters(plate: Plate) -> Characters:
    return Characters(plate.text, plate.character_confidences)
