"""A film freed of what is neither picture nor sound: its packets, copied into a new container.

Places, dates and names that a phone writes around a film, tracks of other data (positions, times,
subtitles, cover pictures) and messages inside the stream of pictures are left out. The packets are
not decoded, so nothing of what is seen or heard changes.
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
    """Blocking. Raises an error of the library, or ValueError, where there is no film in it."""
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
    """One stream on its way from container to container."""

    def __init__(self, source: Any, target: Any) -> None:
        self.source = source
        self._target = target
        self._stream = target.add_stream_from_template(source)
        messages = _FILTERS.get(source.codec_context.name, "null")
        self._filter = BitStreamFilterContext(messages, source, self._stream)

    def copy(self, packet: Any) -> None:
        """None at the end."""
        for kept in self._filter.filter(packet):
            kept.stream = self._stream
            self._target.mux(kept)
