"""Copies the picture and sound packets of a film or sound into a new container, without other data.

The copy leaves out the container's metadata (places, dates, names), all streams but picture and
sound (such as positions, subtitles and cover pictures), and the SEI messages in H.264 and HEVC
video. The packets are not decoded, so picture and sound are unchanged.
"""

import io
from typing import Any, Final

import av
from av.bitstream import BitStreamFilterContext
from av.stream import Disposition

# Supplemental messages; some dashboard cameras write the position and speed of the car there.
_FILTERS: Final = {
    "h264": "filter_units=remove_types=6",
    "hevc": "filter_units=remove_types=39|40",
}
FORMAT: Final = "mp4"
BITEXACT: Final = {"fflags": "+bitexact"}
"""Options of a new container: it names neither the library that wrote it nor the time."""


def copied_video(content: bytes) -> bytes:
    """Return a new MP4 film with only the picture and sound of an MP4 film.

    This function blocks: call it from a thread. Raises ValueError if the film has no video stream,
    and PyAV's errors if it cannot be read.
    """
    copy = io.BytesIO()
    with (
        av.open(io.BytesIO(content), "r", format=FORMAT) as source,
        av.open(copy, "w", format=FORMAT, options=BITEXACT) as target,
    ):
        if not any(stream.type == "video" for stream in shown_streams(source)):
            raise ValueError("no film")
        copy_streams(source, target)
    return copy.getvalue()


def shown_streams(source: Any) -> list[Any]:
    """Return the streams of an open PyAV container that are picture or sound in a known codec;
    cover pictures are left out."""
    return [stream for stream in source.streams if _is_shown(stream)]


def copy_streams(source: Any, target: Any) -> None:
    """Copy the packets of `shown_streams` from an open PyAV container to another one.

    Raises PyAV's errors if the source cannot be read to its end, or if the target's format has no
    place for a codec.
    """
    tracks = {stream.index: _Track(stream, target) for stream in shown_streams(source)}
    for packet in source.demux([track.source for track in tracks.values()]):
        if packet.dts is not None:  # the library's mark of the end has none
            tracks[packet.stream.index].copy(packet)
    for track in tracks.values():
        track.copy(None)


def _is_shown(stream: Any) -> bool:
    if stream.codec_context is None:  # in a codec that nobody here knows
        return False
    is_cover = stream.disposition & Disposition.attached_pic
    return stream.type == "audio" or (stream.type == "video" and not is_cover)


class _Track:
    """A stream that is copied from one container to another."""

    def __init__(self, source: Any, target: Any) -> None:
        self.source = source
        self._target = target
        self._stream = target.add_stream_from_template(source)
        messages = _FILTERS.get(source.codec_context.name, "null")
        self._filter = BitStreamFilterContext(messages, source, self._stream)

    def copy(self, packet: Any) -> None:
        """Write a packet to the new film; None flushes the filter at the end of the stream."""
        for kept in self._filter.filter(packet):
            kept.stream = self._stream
            self._target.mux(kept)
