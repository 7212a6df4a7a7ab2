"""Reads one RTSP stream permanently in a thread of its own; reconnects whenever the connection
breaks.

Only reference frames, on which others depend, are decoded. One frame per slot (frame interval) is
passed on, with a reduced grey copy. The stream is untrusted input: a decoding error loses a frame
but does not stop the worker.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from av.error import InvalidDataError
from vision.arrays import Picture
from vision.background.motion_gate import Grey, PictureState, StreamHealth, luma_of, small_grey
from vision.media_clock import MediaClock

from inference_gateway.frames.model import PictureTooLarge
from inference_gateway.ingest.rtsp import (
    DatedFrame,
    Decoder,
    StreamAway,
    StreamNotDecodable,
    StreamUnauthorized,
    opened_stream,
)

DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
# After a wrong password: cameras lock the account of who tries too often.
UNAUTHORIZED_DELAY_SECONDS = 60.0
# How long a stream may send nothing that can be decoded before that is its state.
GARBLED_SECONDS = 2.0
# At most so long before it came a frame is dated; what comes later than that comes in a burst.
LATE_SECONDS_MAX = 1.0
log = logging.getLogger(__name__)


class LinkState(StrEnum):
    """The state of the connection to a camera."""

    OPENING = "opening"
    LIVE = "live"
    AWAY = "away"
    UNAUTHORIZED = "unauthorized"
    GARBLED = "garbled"


@dataclass(frozen=True)
class Arrival:
    """What is passed on for one slot: the frame (field `dated`), a reduced grey copy of it, and
    whether the stream's picture was live, frozen or black (field `shows`). The field `at` is the
    time of capture in seconds since the epoch."""

    dated: DatedFrame
    grey: Grey
    shows: PictureState

    @property
    def at(self) -> float:
        return self.dated.at

    def picture(self) -> Picture:
        """Return the frame as BGR pixels, upright; slow for large frames. Raises
        PictureTooLarge."""
        return self.dated.picture()


class RtspReader:
    """Reads one RTSP stream in a thread of its own. For each decoded frame it calls `wants` with
    the time of capture. If `wants` returns True, it passes the frame to `offer`. `clock` returns
    the time in seconds since the epoch."""

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
        self._health = StreamHealth()
        self._media_clock = MediaClock(late_max=LATE_SECONDS_MAX)
        self.link = LinkState.OPENING

    def start(self) -> None:
        # A read that hangs ends by its own timeout; nobody waits for it when the process stops.
        threading.Thread(target=self._run, name="stream", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            came, self.link = self._read_connection()
            failures = 0 if came else min(failures + 1, len(DELAYS_SECONDS) - 1)
            refused = self.link is LinkState.UNAUTHORIZED
            self._stopped.wait(UNAUTHORIZED_DELAY_SECONDS if refused else DELAYS_SECONDS[failures])

    def _read_connection(self) -> tuple[bool, LinkState]:
        """Read one connection until it ends; return whether a frame arrived, and the link's new
        state.
        """
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
            return came, LinkState.GARBLED if garbled else LinkState.AWAY
        except StreamUnauthorized:
            return came, LinkState.UNAUTHORIZED
        except (StreamNotDecodable, PictureTooLarge):
            return came, LinkState.GARBLED
        except Exception as error:
            log.error("a stream's reader broke: %s", type(error).__name__, exc_info=error)
            return came, LinkState.GARBLED
        return came, LinkState.AWAY

    def _arrivals(self, container: Any) -> Iterator[Arrival]:
        stream = container.streams.video[0]
        # Frames that no other refers to are of no use to the rest, and not all are looked at.
        stream.codec_context.skip_frame = "NONREF"
        decoder = Decoder(container, self._media_clock, self._clock)
        for packet in container.demux(stream):
            if self._stopped.is_set():
                return
            frames = decoder.frames(packet)
            if frames:
                self.link = LinkState.LIVE
            elif packet.size and decoder.blind_seconds > GARBLED_SECONDS:
                self.link = LinkState.GARBLED
            for dated in frames:
                if self._wants(dated.at):
                    yield self._arrival(dated)

    def _arrival(self, dated: DatedFrame) -> Arrival:
        dated.check_size()
        grey = small_grey(dated.frame)
        shows = self._health.observe(luma_of(dated.frame), grey, dated.at)
        return Arrival(dated, grey, shows)
