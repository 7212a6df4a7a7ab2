"""The length of a film and its frame interval, from its packets, without decoding."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from av.error import FFmpegError

from vision.media_clock import MediaClock

FRAMES_PER_SECOND: Final = 25.0
RATES: Final = (1 / 3600, 240.0)
"""The plausible range of frames a second."""


def usual_step(stream: Any) -> float:
    """The frame interval of a PyAV video stream in seconds, from the rate that its file states.

    If the file states no rate, 25 frames a second are assumed. The rate is limited to the range
    `RATES`.
    """
    least, most = RATES
    rate = float(stream.average_rate or stream.guessed_rate or FRAMES_PER_SECOND)
    return 1 / min(max(rate, least), most)


def packets_of(container: Any, stream: Any) -> Iterator[Any]:
    """Yield every packet of a stream of an open film, up to the first damaged one or the end.

    `container` and `stream` are PyAV objects.
    """
    with suppress(FFmpegError):
        yield from container.demux(stream)


def timed(container: Any) -> MediaClock:
    """Read all packets of a PyAV container; return a clock whose `end` is the film's length.

    Only packet timestamps are read; nothing is decoded. Raises IndexError without a video stream.
    """
    stream = container.streams.video[0]
    clock = MediaClock(usual_step=usual_step(stream))
    for packet in packets_of(container, stream):
        if packet.size:
            clock.date(None if packet.dts is None else float(packet.dts * packet.time_base))
    return clock
