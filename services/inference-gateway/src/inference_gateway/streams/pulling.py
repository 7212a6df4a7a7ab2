"""Pulls one RTSP stream for ever, in a thread of its own: opens it again when it breaks.

Every frame that may be needed by later ones is decoded; one a slot is made small and handed on.
What the stream sends is never trusted: a decoder that stumbles costs a frame, not the worker.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from av.error import FFmpegError, InvalidDataError

from inference_gateway.films import StreamAway, check_size, opened_stream, upright
from inference_gateway.seeing.pictures import Picture, PictureTooLarge
from inference_gateway.streams.gate import GREY_WIDTH, Grey, Shows, Watchman

DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
# How long a stream may send nothing that can be decoded before that is its state.
GARBLED_SECONDS = 2.0
# How far the frames of one connection may be from the pace of their own clock.
PACE_SECONDS = 1.5
log = logging.getLogger(__name__)


class Line(StrEnum):
    """How the connection to a camera is."""

    OPENING = "opening"
    LIVE = "live"
    AWAY = "away"
    GARBLED = "garbled"


@dataclass(frozen=True)
class Arrival:
    """A frame that came: its moment in seconds of the epoch, and its brightness in small."""

    at: float
    frame: Any
    grey: Grey
    shows: Shows

    def picture(self) -> Picture:
        """BGR, upright; costs as much as a frame is large."""
        return upright(self.frame)


class Pace:
    """The moments of a connection's frames: their own clock's, begun at the first to come.

    Frames that come in a burst after a hitch of the network keep their distance; a clock that
    jumps, or runs away from ours, is begun again.
    """

    def __init__(self) -> None:
        self._offset: float | None = None

    def moment(self, shown: float | None, now: float) -> float:
        if shown is None:
            return now
        offset = now - shown
        if self._offset is None or not 0 <= offset - self._offset <= PACE_SECONDS:
            self._offset = offset
        # A clock that is slower than ours is followed, a little with each frame.
        self._offset += (offset - self._offset) * 0.002
        return min(now, shown + self._offset)


class Puller:
    """`wants` and `offer` are called from the thread, for frames that could be decoded."""

    def __init__(
        self,
        address: str,
        *,
        clock: Callable[[], float],
        wants: Callable[[float], bool],
        offer: Callable[[Arrival], None],
    ) -> None:
        self._address = address
        self._clock = clock
        self._wants = wants
        self._offer = offer
        self._stopped = threading.Event()
        self._watchman = Watchman()
        self._good_at = clock()
        self.line = Line.OPENING

    def start(self) -> None:
        # A read that hangs ends by its own timeout; nobody waits for it when the process stops.
        threading.Thread(target=self._run, name="stream", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            came = opened = False
            try:
                with opened_stream(self._address) as container:
                    opened = True
                    for arrival in self._arrivals(container):
                        came = True
                        self._offer(arrival)
            except StreamAway as away:
                # FFmpeg calls it invalid too when a server hangs up at the first word.
                garbled = opened and away.facts.get("error") == InvalidDataError.__name__
                self.line = Line.GARBLED if garbled else Line.AWAY
            except PictureTooLarge:
                self.line = Line.GARBLED
            except Exception as error:
                log.error("a stream's reader broke: %s", type(error).__name__, exc_info=error)
                self.line = Line.GARBLED
            else:
                self.line = Line.AWAY
            failures = 0 if came else min(failures + 1, len(DELAYS_SECONDS) - 1)
            self._stopped.wait(DELAYS_SECONDS[failures])

    def _arrivals(self, container: Any) -> Iterator[Arrival]:
        stream = container.streams.video[0]
        # Frames that no other refers to are of no use to the rest, and not all are looked at.
        stream.codec_context.skip_frame = "NONREF"
        pace, self._good_at = Pace(), self._clock()
        for packet in container.demux(stream):
            if self._stopped.is_set():
                return
            for frame in self._decoded(packet):
                at = pace.moment(frame.time, self._clock())
                if self._wants(at):
                    yield self._arrival(frame, at)

    def _decoded(self, packet: Any) -> list[Any]:
        """The good frames of a packet; tells a stream that has none for too long garbled."""
        frames: list[Any] = []
        with suppress(FFmpegError):  # what is lost shows in the line's state, and in the ledger
            frames = [frame for frame in packet.decode() if not frame.is_corrupt]
        now = self._clock()
        if frames:
            self._good_at, self.line = now, Line.LIVE
        elif packet.size and now - self._good_at > GARBLED_SECONDS:
            self.line = Line.GARBLED
        return frames

    def _arrival(self, frame: Any, at: float) -> Arrival:
        check_size(frame)
        grey = small_grey(frame)
        return Arrival(at, frame, grey, self._watchman.see(luma_of(frame), grey, at))


def luma_of(frame: Any) -> bytes:
    """The brightness of a decoded frame, without what lies beyond the ends of its lines."""
    plane = frame.planes[0]
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return lines[: frame.height, : frame.width].tobytes()


def small_grey(frame: Any) -> Grey:
    """The brightness of a decoded frame, at most GREY_WIDTH wide."""
    width = min(GREY_WIDTH, frame.width)
    height = max(8, round(frame.height * width / frame.width))
    small = frame.reformat(width=width, height=height, format="gray")
    return np.ascontiguousarray(small.to_ndarray())
