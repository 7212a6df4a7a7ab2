"""Opens films and streams with PyAV and samples frames from them. Blocking: runs in threads.

A film's container is told by its content and its demuxer named, so that no playlist or script is
ever followed. What is sampled is the first frame of every interval, so that a film gives the same
frames each time.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlsplit

import av
import numpy as np
from av.error import FFmpegError
from chassis.refusals import Kind, Refusal, Says

from inference_gateway.seeing.pictures import MOST_PIXELS, Picture, PictureTooLarge

FRAMES_PER_SECOND_DEFAULT = 2.0
FRAMES_PER_SECOND_MAX = 30.0
OPEN_SECONDS = 8.0
READ_SECONDS = 5.0
STREAM_OPTIONS = {
    # TCP first: over UDP a busy network turns plates into grey blocks.
    "rtsp_flags": "prefer_tcp",
    "protocol_whitelist": "rtsp,rtsps,rtp,srtp,tcp,tls,udp,crypto",
    # Nothing is read ahead to guess what the first frame tells: at one frame a second that would
    # take eight.
    "analyzeduration": "0",
    "probesize": "32",
}
TRANSPORT_PACKET_BYTES = 188
# As a share of the interval between two frames.
ROUNDING = 0.01


class NotAFilm(Refusal):
    kind = Kind.INVALID
    code = "NOT_A_FILM"
    says = Says(
        en="This is not a film that can be opened. Send MP4, MOV, Matroska, AVI or MPEG-TS.",
        ru="Это не видео, которое можно открыть. Отправьте MP4, MOV, Matroska, AVI или MPEG-TS.",
        kk="Бұл ашылатын бейне емес. MP4, MOV, Matroska, AVI немесе MPEG-TS жіберіңіз.",
    )


class FilmTooLarge(Refusal):
    kind = Kind.INVALID
    code = "FILM_TOO_LARGE"
    says = Says(
        en="The film is too large: at most 256 MiB. Send it in parts.",
        ru="Видео слишком большое: не более 256 МиБ. Отправьте его частями.",
        kk="Бейне тым үлкен: ең көбі 256 МиБ. Бөліп жіберіңіз.",
    )


class AddressNotRtsp(Refusal):
    kind = Kind.INVALID
    code = "ADDRESS_NOT_RTSP"
    says = Says(
        en="This is not an RTSP address. Give one such as rtsp://host:554/path.",
        ru="Это не адрес RTSP. Укажите адрес вида rtsp://host:554/path.",
        kk="Бұл RTSP мекенжайы емес. rtsp://host:554/path түрінде көрсетіңіз.",
    )


class StreamAway(Refusal):
    kind = Kind.AWAY
    code = "STREAM_AWAY"
    says = Says(
        en="The stream does not answer, or stopped and did not come back.",
        ru="Поток не отвечает или прервался и не возобновился.",
        kk="Ағын жауап бермейді немесе үзіліп, қайта қосылмады.",
    )


@dataclass(frozen=True)
class Shot:
    """A sampled frame: `number` counts sampling intervals, `seconds` runs from the start."""

    number: int
    seconds: float
    picture: Picture
    # 0 to 1; 0 where the length is not known.
    progress: float


class Sampling:
    """Which frames to look at: the first of every interval of 1 / frames_per_second."""

    def __init__(self, frames_per_second: float) -> None:
        self._frames_per_second = frames_per_second
        self._last = -1

    def number(self, seconds: float) -> int | None:
        """The interval that this frame is the first of, None when another was before it."""
        # Times come as fractions: 0.4999 belongs to 0.5. RTP counts in 90 000ths of a second.
        interval = math.floor(seconds * self._frames_per_second + ROUNDING)
        if interval <= self._last:
            return None
        self._last = interval
        return interval


def check_rtsp(address: str) -> None:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise AddressNotRtsp from error
    if parts.scheme not in ("rtsp", "rtsps") or not parts.hostname or port == 0:
        raise AddressNotRtsp


def film_shots(file: IO[bytes], frames_per_second: float) -> Iterator[Shot]:
    """Raises NotAFilm or PictureTooLarge. A film that was cut off ends where it was cut."""
    file.seek(0)
    demuxer = container_of(file.read(4 * TRANSPORT_PACKET_BYTES))
    file.seek(0)
    if demuxer is None:
        raise NotAFilm
    shots = 0
    try:
        with av.open(file, "r", format=demuxer) as container:
            for shot in _shots(container, frames_per_second):
                shots += 1
                yield shot
    except (FFmpegError, ValueError, IndexError) as error:
        if not shots:
            raise NotAFilm from error
    if not shots:
        raise NotAFilm


def stream_shots(address: str, frames_per_second: float) -> Iterator[Shot]:
    """Ends when the stream does. Raises StreamAway; the address is in no message."""
    with opened_stream(address) as container:
        yield from _shots(container, frames_per_second)


@contextmanager
def opened_stream(address: str) -> Iterator[Any]:
    """PyAV's container of an RTSP stream, its one decoder in this thread.

    Raises StreamAway for whatever goes wrong in the block too; the address is in no message.
    """
    try:
        with av.open(
            address,
            "r",
            format="rtsp",
            options=STREAM_OPTIONS,
            timeout=(OPEN_SECONDS, READ_SECONDS),
        ) as container:
            coder = container.streams.video[0].codec_context
            coder.thread_count = 1
            coder.options = {"max_pixels": str(MOST_PIXELS)}
            yield container
    except (FFmpegError, ValueError, IndexError) as error:
        # Their text holds the address, and with it perhaps a password.
        facts = {"error": type(error).__name__}
        raise StreamAway(facts=facts) from None


def container_of(start: bytes) -> str | None:
    """The demuxer for content that begins so."""
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "mov"
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if start.startswith(b"RIFF") and start[8:12] == b"AVI ":
        return "avi"
    packets = start[::TRANSPORT_PACKET_BYTES]
    if len(packets) >= 3 and set(packets[:3]) == {0x47}:
        return "mpegts"
    return None


def _shots(container: Any, frames_per_second: float) -> Iterator[Shot]:
    stream = container.streams.video[0]
    check_size(stream.codec_context)
    length = container.duration / av.time_base if container.duration else 0.0
    rate = float(stream.average_rate or 25)
    sampling, first = Sampling(frames_per_second), None
    for place, frame in enumerate(container.decode(stream)):
        check_size(frame)
        at = place / rate if frame.time is None else float(frame.time)
        first = at if first is None else first
        seconds = max(0.0, at - first)
        number = sampling.number(seconds)
        if number is not None:
            progress = min(1.0, seconds / length) if length else 0.0
            yield Shot(number, seconds, upright(frame), progress)


def check_size(picture: Any) -> None:
    """Of a frame, or of what a codec announces; both have a width and a height."""
    if picture.width * picture.height > MOST_PIXELS:
        raise PictureTooLarge


def upright(frame: Any) -> Picture:
    """A decoded frame as a BGR picture, turned as its film asks."""
    picture: Picture = frame.to_ndarray(format="bgr24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture
