"""How long a film is, and how far apart its frames are, by its packets; nothing is decoded."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from av.error import FFmpegError

from vision.media_clock import MediaClock

FRAMES_PER_SECOND: Final = 25.0
RATES: Final = (1 / 3600, 240.0)
"""Frames a second that a file is believed to have."""


def usual_step(stream: Any) -> float:
    """Seconds from frame to frame, as the file says."""
    least, most = RATES
    rate = float(stream.average_rate or stream.guessed_rate or FRAMES_PER_SECOND)
    return 1 / min(max(rate, least), most)


def packets_of(container: Any, stream: Any) -> Iterator[Any]:
    """Every packet of a film's stream, up to where the file is broken or cut."""
    with suppress(FFmpegError):
        yield from container.demux(stream)


def timed(container: Any) -> MediaClock:
    """The clock of an open film after its last packet, whose `end` is the film's length.

    By the stamps of packets: nothing is decoded. Raises IndexError where there are no pictures.
    """
    stream = container.streams.video[0]
    clock = MediaClock(usual_step=usual_step(stream))
    for packet in packets_of(container, stream):
        if packet.size:
            clock.date(None if packet.dts is None else float(packet.dts * packet.time_base))
    return clock
