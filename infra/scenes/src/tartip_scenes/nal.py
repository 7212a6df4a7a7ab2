"""Packs NAL units of H.264 (RFC 6184) and H.265 (RFC 7798) into RTP payloads.

Has only what the module `rtsp` needs to send one stream: types of NAL units, fragmentation, SDP
lines.
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

PAYLOAD_BYTES = 1400


class Codec(ABC):
    """A video codec, with its representation in RTP and SDP.

    The field `parameters` gives the names of parameter sets in SDP, by the type of their NAL unit.
    """

    name: ClassVar[str]
    to_units: ClassVar[str]
    """FFmpeg's filter from a file's form of the stream to that with start codes."""
    parameters: ClassVar[Mapping[int, str]]

    @abstractmethod
    def kind(self, unit: bytes) -> int:
        """The type of a NAL unit, from its header."""

    @abstractmethod
    def fragments(self, unit: bytes) -> Iterator[bytes]:
        """Yield the RTP payloads (fragmentation units) of a NAL unit too large for one payload."""

    def payloads(self, unit: bytes) -> Iterator[bytes]:
        """The RTP payloads of a NAL unit. This is the unit itself, or fragments if the unit is too
        large."""
        return iter((unit,)) if len(unit) <= PAYLOAD_BYTES else self.fragments(unit)

    def describe(self, units: Iterable[bytes]) -> str:
        """The SDP lines (rtpmap, fmtp) of a stream, with the parameter sets found in `units`."""
        found: dict[int, str] = {}
        for unit in units:
            if self.kind(unit) in self.parameters:
                found.setdefault(self.kind(unit), base64.b64encode(unit).decode())
        known = self._known({kind: found[kind] for kind in self.parameters if kind in found})
        format_line = f"a=fmtp:96 {known}\r\n" if known else ""
        return f"a=rtpmap:96 {self.name}/90000\r\n{format_line}"

    def _known(self, found: Mapping[int, str]) -> str:
        return ";".join(f"{self.parameters[kind]}={value}" for kind, value in found.items())


class H264(Codec):
    name = "H264"
    to_units = "h264_mp4toannexb"
    parameters: ClassVar[Mapping[int, str]] = {7: "sps", 8: "pps"}
    _FRAGMENT = 28

    def kind(self, unit: bytes) -> int:
        return unit[0] & 31

    def fragments(self, unit: bytes) -> Iterator[bytes]:
        indicator, kind = (unit[0] & 0xE0) | self._FRAGMENT, self.kind(unit)
        for piece, ends in _pieces(unit, head=1):
            yield bytes([indicator, ends | kind]) + piece

    def _known(self, found: Mapping[int, str]) -> str:
        sets = f";sprop-parameter-sets={','.join(found.values())}" if found else ""
        return f"packetization-mode=1{sets}"


class H265(Codec):
    name = "H265"
    to_units = "hevc_mp4toannexb"
    parameters: ClassVar[Mapping[int, str]] = {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"}
    _FRAGMENT = 49

    def kind(self, unit: bytes) -> int:
        return unit[0] >> 1 & 63

    def fragments(self, unit: bytes) -> Iterator[bytes]:
        head = bytes([(unit[0] & 0x81) | self._FRAGMENT << 1, unit[1]])
        for piece, ends in _pieces(unit, head=2):
            yield head + bytes([ends | self.kind(unit)]) + piece


CODECS: Mapping[str, Codec] = {"h264": H264(), "hevc": H265()}


def _pieces(unit: bytes, *, head: int) -> Iterator[tuple[bytes, int]]:
    """What follows a unit's head, in pieces, with the bits that mark the first and the last."""
    pieces = [unit[at : at + PAYLOAD_BYTES] for at in range(head, len(unit), PAYLOAD_BYTES)]
    for place, piece in enumerate(pieces):
        yield piece, (place == 0) << 7 | (place == len(pieces) - 1) << 6
