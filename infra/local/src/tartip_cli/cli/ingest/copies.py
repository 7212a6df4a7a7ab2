"""Writes copies of pictures and films with the detections drawn on them.

A film is copied as MP4 (H.264) with all its frames, even those that were not analysed. Between two
analysed frames, a box moves in a straight line to its next position. For a box with a track, this
is the position of the same track. For a box without a track, it is that of the nearest box with the
same label. The caption of an event is shown for two seconds.
"""

from __future__ import annotations

import io
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import cv2
import numpy as np
from PIL import Image, ImageOps
from vision.frames import picture_of
from vision.media_clock import MediaClock
from vision.packets import packets_of, timed, usual_step
from vision.pixel_shapes import pixel_aspect_of
from vision.stills import END_OF_JPEG, as_seen

from tartip_cli.cli.ingest.drawing import Caption, Mark, Picture, draw, enlarged, marks_of
from tartip_cli.cli.ingest.sources import Source
from tartip_cli.cli.ingest.summary import kind_of

if TYPE_CHECKING:
    from tartip.inference.v1 import inference_pb2 as inference

CAPTION_SECONDS: Final = 2.0
PLACE_SECONDS: Final = 0.5
JPEG_QUALITY: Final = 92
_STALE_SECONDS: Final = 1.5
_NEARER_HALF: Final = 0.5
_REACH: Final = 1.5
"""How far a box without a track may move between two analysed frames, in its own sizes."""
_CONSTANT_RATE_FACTOR: Final = "21"
_RATE_MAX: Final = 60

Share = Callable[[float], None]


@dataclass
class Copies:
    """Writes the copies with drawn detections into one folder; each copy gets a unique name."""

    folder: Path
    _names: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, source: Source, results: Sequence[inference.FrameResult], report: Share) -> Path:
        """Write a copy of a file with the detections in `results` drawn on it, and return the
        copy's path. For a film, `report` is called with the share that is done (0 to 1). Blocks the
        calling thread. Raises OSError if writing fails."""
        assert source.path is not None
        path = self._name_for(source.path, ".mp4" if source.is_film else ".jpg")
        if source.is_film:
            _draw_film(source.path, path, Looks.of(results), report)
        else:
            _draw_picture(source.path, path, results)
        return path

    def _name_for(self, path: Path, suffix: str) -> Path:
        with self._lock:
            name, number = f"{path.stem}{suffix}", 2
            while name in self._names:
                name, number = f"{path.stem}-{number}{suffix}", number + 1
            self._names.add(name)
        return self.folder / name


@dataclass(frozen=True)
class Looks:
    """The marks and captions to draw on a film or stream, by time. All times are in seconds after
    the first analysed frame. The field `times` holds the times of the analysed frames."""

    times: tuple[float, ...]
    loose: tuple[tuple[Mark, ...], ...]
    """The marks without a track, by analysed frame."""
    tracks: tuple[tuple[tuple[float, Mark], ...], ...]
    """The marks of each track, by time."""
    captions: tuple[tuple[float, Caption], ...]

    @staticmethod
    def of(results: Sequence[inference.FrameResult]) -> Looks:
        frames = [result for result in results if not _is_of_track(result)]
        start = min((_seconds(result.captured_at) for result in frames), default=0.0)
        frames.sort(key=lambda result: _seconds(result.captured_at))
        times = [_seconds(result.captured_at) - start for result in frames]
        tracks: dict[tuple[str, int], list[tuple[float, Mark]]] = {}
        loose = []
        for seconds, result in zip(times, frames, strict=True):
            marks = list(_tracked(result))
            loose.append(tuple(mark for track, mark in marks if not track))
            for track, mark in marks:
                if track:
                    tracks.setdefault((mark.group, track), []).append((seconds, mark))
        captions = [
            (max(0.0, at - start), caption)
            for result in results
            for at, caption in _captions(result)
        ]
        return Looks(
            tuple(times),
            tuple(loose),
            tuple(tuple(track) for track in tracks.values()),
            tuple(sorted(captions, key=lambda caption: caption[0])),
        )

    def at(self, seconds: float) -> list[Mark]:
        """Return the marks to draw at this time. The position of a box is interpolated between the
        analysed frames before and after this time."""
        place = bisect_right(self.times, seconds + 1e-6) - 1
        if place < 0 or seconds - self.times[place] > self._patience:
            return []
        tracked = [self._of_track(track, seconds) for track in self.tracks]
        return [*self._loose_at(place, seconds), *(mark for mark in tracked if mark is not None)]

    def _loose_at(self, place: int, seconds: float) -> list[Mark]:
        """Marks without a track. A mark without a match in the other frame is shown in its nearer
        half of the interval.
        """
        now = self.loose[place]
        if place + 1 == len(self.times):
            return list(now)
        share = (seconds - self.times[place]) / (self.times[place + 1] - self.times[place])
        later, shown = list(self.loose[place + 1]), []
        for mark in now:
            partner = _partner(mark, later)
            if partner is not None:
                later.remove(partner)
                shown.append(_between(mark, partner, share))
            elif share < _NEARER_HALF:
                shown.append(mark)
        return shown + [mark for mark in later if share >= _NEARER_HALF]

    def _of_track(self, track: tuple[tuple[float, Mark], ...], seconds: float) -> Mark | None:
        """The mark of a track at a time, or None; functions differ in rate, so a frame may lack the
        mark.
        """
        place = bisect_right(track, seconds + 1e-6, key=lambda entry: entry[0]) - 1
        if place < 0:
            return None
        begin, mark = track[place]
        if place + 1 < len(track) and track[place + 1][0] - begin <= self._patience:
            end, later = track[place + 1]
            return _between(mark, later, (seconds - begin) / (end - begin))
        return mark if seconds - begin <= self._usual * _NEARER_HALF else None

    def captions_at(self, seconds: float) -> list[Caption]:
        """Return the captions to draw at this time. The box of a caption is shown for a shorter
        time than the text, since the object moves on."""
        return [
            caption if seconds < at + PLACE_SECONDS else replace(caption, box=None)
            for at, caption in self.captions
            if at <= seconds < at + CAPTION_SECONDS
        ]

    @property
    def _patience(self) -> float:
        """How long detections are shown, in seconds: longer in a film with few analysed frames."""
        return max(_STALE_SECONDS, 1.5 * self._usual)

    @property
    def _usual(self) -> float:
        """The usual interval between analysed frames, in seconds."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else _STALE_SECONDS


def _draw_picture(given: Path, path: Path, results: Sequence[inference.FrameResult]) -> None:
    content = given.read_bytes()
    if content.startswith(b"\xff\xd8"):
        content += END_OF_JPEG  # after its own it is not read
    with Image.open(io.BytesIO(content)) as image:
        upright = as_seen(ImageOps.exif_transpose(image))
    picture, scale = enlarged(np.ascontiguousarray(np.asarray(upright, np.uint8)[..., ::-1]))
    marks = [mark for result in results for mark in marks_of(result)]
    captions = [caption for result in results for _, caption in _captions(result)]
    drawn = draw(picture, marks, captions, scale=scale)
    encoded = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    path.write_bytes(encoded.tobytes())


def _draw_film(given: Path, path: Path, looks: Looks, report: Share) -> None:
    with av.open(str(given)) as source, av.open(str(path), "w", format="mp4") as target:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        rate = _rate(stream)
        length = _length_of(given)
        out: Any = None
        for picture, seconds in _frames(source, stream):
            canvas, scale = enlarged(picture)
            drawn = _even(draw(canvas, looks.at(seconds), looks.captions_at(seconds), scale=scale))
            if out is None:
                out = target.add_stream("libx264", rate=rate)
                out.height, out.width = drawn.shape[:2]
                out.pix_fmt = "yuv420p"
                out.options = {"crf": _CONSTANT_RATE_FACTOR, "preset": "veryfast"}
                out.time_base = Fraction(1, 90_000)
            frame = av.VideoFrame.from_ndarray(drawn, format="bgr24")
            frame.pts, frame.time_base = round(seconds * 90_000), Fraction(1, 90_000)
            target.mux(out.encode(frame))
            report(min(1.0, seconds / length) if length else 0.0)
        if out is not None:
            target.mux(out.encode())


def _frames(source: Any, stream: Any) -> Iterator[tuple[Picture, float]]:
    """Yield each frame and its seconds since the first, rotated and timed as in the gateway."""
    clock, aspect, last = MediaClock(usual_step=usual_step(stream)), pixel_aspect_of(stream), -1.0
    for packet in packets_of(source, stream):
        frames: list[Any] = []
        with suppress(av.FFmpegError):
            frames = packet.decode()
        for frame in frames:
            seconds = clock.date(frame.time)
            if seconds > last:  # the encoder requires increasing times
                last = seconds
                yield picture_of(frame, aspect), seconds


def _length_of(given: Path) -> float:
    with av.open(str(given)) as source:
        return timed(source).end


def _rate(stream: Any) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    return Fraction(min(rate, _RATE_MAX)).limit_denominator(1001)


def _even(picture: Picture) -> Picture:
    """Round a side length down to an even number, as H.264 requires."""
    height, width = (side - side % 2 for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])


def _partner(mark: Mark, later: Sequence[Mark]) -> Mark | None:
    """The nearest mark with the same label in the next analysed frame, if near enough."""
    reach = _REACH * max(mark.box[2], mark.box[3])
    alike = [other for other in later if other.kind == mark.kind]
    nearest = min(alike, key=lambda other: _distance(mark, other), default=None)
    return nearest if nearest is not None and _distance(mark, nearest) < reach else None


def _distance(mark: Mark, other: Mark) -> float:
    (ax, ay, aw, ah), (bx, by, bw, bh) = mark.box, other.box
    return float(np.hypot(ax + aw / 2 - bx - bw / 2, ay + ah / 2 - by - bh / 2))


def _between(mark: Mark, later: Mark, share: float) -> Mark:
    x, y, width, height = (a + (b - a) * share for a, b in zip(mark.box, later.box, strict=True))
    return replace(mark, box=(x, y, width, height))


def _tracked(result: inference.FrameResult) -> list[tuple[int, Mark]]:
    detections = [*result.objects, *result.faces, *result.plates]
    return [
        (int(getattr(detection, "track", 0)), mark)
        for detection, mark in zip(detections, marks_of(result), strict=True)
    ]


def _is_of_track(result: inference.FrameResult) -> bool:
    """Whether this is the separate result for a plate whose track has ended."""
    has_plate = any(event.subject.endswith("plate_read") for event in result.events)
    return has_plate and not result.objects and not result.faces


def _captions(result: inference.FrameResult) -> Iterator[tuple[float, Caption]]:
    """Each event with its time; the event of a plate is shown at its plate."""
    reads = [event for event in result.events if event.subject.endswith("plate_read")]
    for event in result.events:
        text = kind_of(event)
        if event in reads:
            of_it = [plate for plate in result.plates if event.track and plate.track == event.track]
            if not of_it and len(reads) == len(result.plates):
                of_it = [result.plates[reads.index(event)]]
            text += ": " + ", ".join(plate.text for plate in of_it or result.plates)
        elif event.track:
            text += f" #{event.track}"
        # A plate has its own box and must stay readable.
        marked = event.HasField("box") and event not in reads
        box = event.box
        where = (box.x, box.y, box.width, box.height) if marked else None
        moment = event.at if event.HasField("at") else result.captured_at
        yield _seconds(moment), Caption(text, where)


def _seconds(stamp: Any) -> float:
    return float(stamp.seconds) + float(stamp.nanos) / 1e9
