"""Reads RTSP streams with PyAV: checks addresses, opens connections and samples frames.

Blocking: runs in threads. An error of a connection is raised as StreamAway (the stream is
unavailable), StreamUnauthorized (the password is wrong) or StreamNotDecodable. No message contains
the address, as it may include a password.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import av
from av.error import FFmpegError, HTTPForbiddenError, HTTPUnauthorizedError
from chassis.refusals import Kind, Refusal
from vision.arrays import Picture
from vision.frames import picture_of
from vision.media_clock import MediaClock
from vision.pictures import MOST_PIXELS
from vision.pixel_shapes import pixel_aspect_of

from inference_gateway.ingest.video import SampledFrame, Sampling, check_size

# By when a caller knows whether a stream can be watched; the promise is ten seconds.
FIRST_FRAME_SECONDS = 9.5
OPEN_SECONDS = 8.0
READ_SECONDS = 5.0
# How long packets may come of which not one can be decoded: the pictures between two that stand by
# themselves are fewer.
DECODE_SECONDS = 8.0
# A picture that is watched for its caller is dated at most so long before it came. The first is
# taken to be half a second old: those which come a little sooner after it keep their distance.
LATE_SECONDS_MAX = 6.0
FIRST_AGE_SECONDS = 0.5
STREAM_OPTIONS = {
    # TCP first: over UDP a busy network turns plates into grey blocks.
    "rtsp_flags": "prefer_tcp",
    "protocol_whitelist": "rtsp,rtsps,rtp,srtp,tcp,tls,udp,crypto",
    # Nothing is read ahead to guess what the first frame tells: at one frame a second that would
    # take eight.
    "analyzeduration": "0",
    "probesize": "32",
}


class AddressNotRtsp(Refusal):
    kind = Kind.INVALID
    code = "ADDRESS_NOT_RTSP"


class StreamAway(Refusal):
    kind = Kind.UNAVAILABLE
    code = "STREAM_AWAY"


class StreamUnauthorized(Refusal):
    kind = Kind.STATE
    code = "STREAM_UNAUTHORIZED"


class StreamNotDecodable(Refusal):
    kind = Kind.STATE
    code = "STREAM_NOT_DECODABLE"


def rtsp_address(text: str) -> str:
    """Return the RTSP address without surrounding blanks, its scheme in lower case.

    Raises AddressNotRtsp if the text is not a valid RTSP address.
    """
    address = text.strip()
    if any(character < " " or character == "\x7f" for character in address):
        raise AddressNotRtsp  # urlsplit would leave them out, and a camera would read lines of ours
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise AddressNotRtsp from error
    if parts.scheme not in ("rtsp", "rtsps") or not parts.hostname or port == 0:
        raise AddressNotRtsp
    return parts.scheme + address[len(parts.scheme) :]


@contextmanager
def opened_stream(address: str) -> Iterator[Any]:
    """Context manager that yields the PyAV container of an RTSP stream. The container decodes in
    the current thread.

    Raises StreamUnauthorized if the camera refuses the password, StreamNotDecodable if the stream
    has no video that can be decoded, and StreamAway for other errors of FFmpeg, also for those that
    occur within the block.
    """
    try:
        with av.open(
            address,
            "r",
            format="rtsp",
            options=STREAM_OPTIONS,
            timeout=(OPEN_SECONDS, READ_SECONDS),
        ) as container:
            coder = container.streams.video[0].codec_context if container.streams.video else None
            if coder is None:
                raise StreamNotDecodable
            coder.thread_count = 1
            coder.options = {"max_pixels": str(MOST_PIXELS)}
            yield container
    except (HTTPUnauthorizedError, HTTPForbiddenError):
        raise StreamUnauthorized from None
    except (FFmpegError, ValueError, IndexError) as error:
        # Their text holds the address, and with it perhaps a password.
        facts = {"error": type(error).__name__}
        raise StreamAway(facts=facts) from None


@dataclass(frozen=True)
class DatedFrame:
    """A decoded frame. Its time of capture is `at`, in seconds on the clock of the `Decoder`."""

    at: float
    frame: Any
    pixel_aspect: Fraction

    def check_size(self) -> None:
        """Raise PictureTooLarge if the frame has too many pixels."""
        check_size(self.frame, self.pixel_aspect)

    def picture(self) -> Picture:
        """Return the frame as BGR pixels, upright; slow for large frames. Raises
        PictureTooLarge."""
        self.check_size()
        return picture_of(self.frame, self.pixel_aspect)


class Decoder:
    """Decodes the packets of one connection. The time of capture of a frame comes from its
    timestamp, within bounds set by the time of arrival (see `MediaClock`)."""

    def __init__(self, container: Any, clock: MediaClock, now: Callable[[], float]) -> None:
        self._stream = container.streams.video[0]
        self._clock = clock
        self._now = now
        self._good_at = now()
        # FFmpeg counts the stamps of a connection from its first frame, and leaves that without.
        self._unstamped: float | None = 0.0

    @property
    def blind_seconds(self) -> float:
        """The seconds since a frame was last decoded, or since the `Decoder` was created."""
        return self._now() - self._good_at

    def frames(self, packet: Any) -> list[DatedFrame]:
        """Decode a packet and return its intact frames, [] if it has none."""
        frames: list[Any] = []
        with suppress(FFmpegError):  # what is lost shows as time without a frame
            frames = [frame for frame in packet.decode() if not frame.is_corrupt]
        if not frames:
            return []
        self._good_at = now = self._now()
        aspect = pixel_aspect_of(self._stream)
        return [DatedFrame(self._dated(frame, now), frame, aspect) for frame in frames]

    def _dated(self, frame: Any, now: float) -> float:
        stamp = self._unstamped if frame.time is None else frame.time
        self._unstamped = None
        return self._clock.date(stamp, now)


class StreamFrames:
    """Samples the frames of an RTSP stream, over any number of successive connections.

    `now` is a monotonic clock in seconds; the time of each frame is given on this clock.
    """

    def __init__(self, address: str, frames_per_second: float, now: Callable[[], float]) -> None:
        self._address = address
        self._now = now
        self._sampling = Sampling(frames_per_second)
        self._clock = MediaClock(late_max=LATE_SECONDS_MAX, first_age=FIRST_AGE_SECONDS)
        # Sampled from the first frame on, as a film is: the same pictures give the same frames.
        self._first_at: float | None = None
        self.answers = False
        """Whether anything of a picture ever came."""

    def connection(self) -> Iterator[SampledFrame]:
        """Yield the sampled frames of one connection until it ends.

        Raises PictureTooLarge, and the errors of `opened_stream`.
        """
        with opened_stream(self._address) as container:
            decoder = Decoder(container, self._clock, self._now)
            for packet in container.demux(container.streams.video[0]):
                self.answers = self.answers or packet.size > 0
                for dated in decoder.frames(packet):
                    number = self._interval(dated.at)
                    if number is not None:
                        yield SampledFrame(number, dated.at, dated.picture(), 0.0)
                if decoder.blind_seconds > DECODE_SECONDS:
                    raise StreamNotDecodable

    def _interval(self, at: float) -> int | None:
        if self._first_at is None:
            self._first_at = at
        return self._sampling.number(at - self._first_at)
