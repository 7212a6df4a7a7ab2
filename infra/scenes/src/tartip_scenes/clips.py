"""Encodes films once and stores them as timed frames, which a server can send to many clients."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.bitstream import BitStreamFilterContext

from tartip_scenes.nal import CODECS, Codec

TICKS_A_SECOND = 90_000
CODEC = {"crf": "18", "preset": "ultrafast", "tune": "zerolatency"}


@dataclass(frozen=True)
class Access:
    """One encoded frame (access unit): its NAL units, when to send it, and when to show it.

    Times are in ticks (`TICKS_A_SECOND`) from the start of the film.
    """

    units: tuple[bytes, ...]
    sent: int
    shown: int


@dataclass(frozen=True)
class Clip:
    """An encoded film to be sent in a loop. The field `length` is its duration in ticks."""

    frames: tuple[Access, ...]
    length: int
    codec: Codec = CODECS["h264"]

    def description(self) -> str:
        """The SDP lines that describe the codec, with its parameter sets if the film has any."""
        return self.codec.describe(unit for frame in self.frames for unit in frame.units)

    def without_parameters(self) -> "Clip":
        """This clip without its parameter sets (SPS, PPS, VPS), so that it cannot be decoded."""
        frames = (replace(frame, units=self._pictures_of(frame)) for frame in self.frames)
        return replace(self, frames=tuple(frames))

    def _pictures_of(self, frame: Access) -> tuple[bytes, ...]:
        codec = self.codec
        return tuple(unit for unit in frame.units if codec.kind(unit) not in codec.parameters)


def film_of(
    pictures: Sequence[Any],
    *,
    rate: int,
    key_every: int = 10,
    codec: str = "h264",
    options: dict[str, str] | None = None,
) -> bytes:
    """Encode BGR pictures [h, w, 3] of equal size as an MP4 file, and return the bytes of the file.

    `rate` is in frames per second. One frame in `key_every` frames is a key frame. `codec` is
    FFmpeg's name of a codec ("h264", "hevc"). `options` are added to the options of the encoder.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        chosen = {**CODEC, "g": str(key_every), **(options or {})}
        stream: Any = output.add_stream(codec, rate=rate, options=chosen)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def looped(film: bytes | Path, *, rounds: int) -> bytes:
    """Repeat an H.264 film `rounds` times without re-encoding. Returns the bytes of an MP4 file."""
    file = io.BytesIO()
    with av.open(_source(film)) as container, av.open(file, "w", format="mp4") as output:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        target = output.add_stream_from_template(stream)
        sent = sorted(packet.dts for packet in packets)
        length = sent[-1] - sent[0] + max(1, (sent[-1] - sent[0]) // max(1, len(sent) - 1))
        moments = [(packet.pts, packet.dts) for packet in packets]
        for turn in range(rounds):
            for packet, (shown, due) in zip(packets, moments, strict=True):
                packet.pts, packet.dts = shown + turn * length, due + turn * length
                packet.stream = target
                packet.time_base = stream.time_base
                output.mux(packet)
    return file.getvalue()


def clip_of(film: bytes | Path) -> Clip:
    """Read a film (H.264 or H.265 in MP4 or MOV) as a clip, without re-encoding it."""
    with av.open(_source(film)) as container:
        stream = container.streams.video[0]
        codec = CODECS[stream.codec_context.name]
        to_units = BitStreamFilterContext(codec.to_units, stream)
        packets: list[Any] = [
            filtered
            for packet in container.demux(stream)
            for filtered in to_units.filter(packet if packet.size else None)
        ]
    ticks = [
        (_ticks(packet.dts * packet.time_base), _ticks(packet.pts * packet.time_base), packet)
        for packet in packets
    ]
    first_sent, first_shown = ticks[0][0], min(shown for _, shown, _ in ticks)
    frames = tuple(
        Access(tuple(_units(bytes(packet))), sent - first_sent, shown - first_shown)
        for sent, shown, packet in ticks
    )
    step = max(1, frames[-1].sent // max(1, len(frames) - 1))
    return Clip(frames, frames[-1].sent + step, codec)


def _source(film: bytes | Path) -> Any:
    return io.BytesIO(film) if isinstance(film, bytes) else str(film)


def _ticks(seconds: Fraction) -> int:
    return round(seconds * TICKS_A_SECOND)


def _units(stream: bytes) -> Iterator[bytes]:
    """The NAL units between start codes."""
    for piece in stream.split(b"\x00\x00\x01"):
        unit = piece.rstrip(b"\x00")
        if unit:
            yield unit
