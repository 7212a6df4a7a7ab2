"""Copies a film's picture and sound packets into a new container, without other data.

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


def copied_video(content: bytes) -> bytes:
    """Return a new MP4 film with only the picture and sound of an MP4 film.

    This function blocks: call it from a thread. Raises ValueError if the film has no video stream,
    and PyAV's errors if it cannot be read.
    """
    copy = io.BytesIO()
    with (
        av.open(io.BytesIO(content), "r", format=FORMAT) as source,
        av.open(copy, "w", format=FORMAT, options={"fflags": "+bitexact"}) as target,
    ):
        tracks = [_Track(stream, target) for stream in source.streams if _is_shown(stream)]
        if not any(track.source.type == "video" for track in tracks):
            raise ValueError("no film")
        by_index = {track.source.index: track for track in tracks}
        for packet in source.demux([track.source for track in tracks]):
            if packet.dts is not None:  # the library's mark of the end has none
                by_index[packet.stream.index].copy(packet)
        for track in tracks:
            track.copy(None)
    return copy.getvalue()


def _is_shown(stream: Any) -> bool:
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
