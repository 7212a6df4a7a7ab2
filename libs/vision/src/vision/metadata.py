"""Removes metadata from JPEG, PNG and WebP files; picture data is copied, never decoded.

A list for each format names the segments or chunks that a decoder needs. Everything else (EXIF,
XMP, IPTC, ICC, comments, text, thumbnails, further pictures, bytes after the end) is removed. A
file without metadata is returned unchanged, byte by byte.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final

JPEG_START: Final = b"\xff\xd8\xff"
PNG_START: Final = b"\x89PNG\r\n\x1a\n"
# Of JPEG: frames and their tables. APP0 and APP14 are cut down to what a decoder reads of them.
_START, _END, _SCAN, _JFIF, _ADOBE = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE
_TABLES: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD, _SCAN})
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - _TABLES - {0xC8}
_JFIF_BYTES, _ADOBE_BYTES = 7, 12
# In a scan: neither a stuffed zero, nor a fill byte, nor a restart.
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_PNG_CHUNKS: Final = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs"}
)
_PNG_SHORT: Final = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"sBIT": 4, b"pHYs": 9}
_WEBP_CHUNKS: Final = frozenset({b"VP8X", b"ALPH", b"VP8 ", b"VP8L"})
_WEBP_ALPHA: Final = 0x10
_WEBP_MOVES: Final = 0x02


class NotStrippable(Exception):
    """Metadata cannot be removed by copying: the file's structure is invalid, or it is an animated
    WebP. The caller may try to decode the picture and encode it anew."""


def stripped_jpeg(content: bytes) -> bytes:
    """Return a JPEG without metadata; a missing end marker is added. Raises NotStrippable."""
    return b"".join(_jpeg_parts(content))


def stripped_png(content: bytes) -> bytes:
    """Return a PNG without metadata; of an animated PNG, only the default still picture. Raises
    NotStrippable."""
    return PNG_START + b"".join(_png_chunks(content))


def stripped_webp(content: bytes) -> bytes:
    """Return a WebP without metadata. Raises NotStrippable, also for an animated WebP."""
    chunks = b"".join(_webp_chunks(content))
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _jpeg_parts(content: bytes) -> Iterator[bytes]:
    yield bytes((0xFF, _START))
    position, has_frame = 2, False
    while position < len(content):
        marker, position = _jpeg_marker(content, position)
        if marker == _END:
            break
        body, position = _jpeg_body(content, position)
        has_frame |= marker in _FRAMES
        scan = b""
        if marker == _SCAN:
            found = _NEXT_MARKER.search(content, position)
            end = found.start() if found else len(content)
            scan, position = content[position:end], end
        yield _jpeg_part(marker, body) + scan
    if not has_frame:
        raise NotStrippable
    yield bytes((0xFF, _END))


def _jpeg_marker(content: bytes, position: int) -> tuple[int, int]:
    """Return the marker at a position and the position of its segment body. Fill bytes before the
    marker are skipped. Raises NotStrippable where there is no marker."""
    start = position
    while position < len(content) and content[position] == 0xFF:
        position += 1
    if position == start or position == len(content):
        raise NotStrippable
    return content[position], position + 1


def _jpeg_body(content: bytes, position: int) -> tuple[bytes, int]:
    """Return the body of a segment, without its length, and the position after the segment.
    `position` is that of the length. Raises NotStrippable for an impossible length."""
    length = int.from_bytes(content[position : position + 2])
    end = position + length
    if length < 2 or end > len(content):
        raise NotStrippable
    return content[position + 2 : end], end


def _jpeg_part(marker: int, body: bytes) -> bytes:
    """Return a JPEG segment without metadata, empty if no decoder needs the segment."""
    if marker == _JFIF and body.startswith(b"JFIF\x00"):
        body = body[: 5 + _JFIF_BYTES].ljust(5 + _JFIF_BYTES, b"\x00") + b"\x00\x00"
    elif marker == _ADOBE and body.startswith(b"Adobe"):
        body = body[:_ADOBE_BYTES]
    elif marker not in _FRAMES | _TABLES:
        return b""
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def _png_chunks(content: bytes) -> Iterator[bytes]:
    position, name = len(PNG_START), b""
    while name != b"IEND":
        head = content[position : position + 8]
        length, name = int.from_bytes(head[:4]), head[4:]
        end = position + 12 + length
        if len(name) != 4 or end > len(content):
            raise NotStrippable
        if name in _PNG_CHUNKS and length <= _PNG_SHORT.get(name, length):
            yield content[position:end]
        position = end


def _webp_chunks(content: bytes) -> Iterator[bytes]:
    end = min(len(content), int.from_bytes(content[4:8], "little") + 8)
    position, has_picture = 12, False
    while position + 8 <= end:
        name, length = content[position : position + 4], content[position + 4 : position + 8]
        body_end = position + 8 + int.from_bytes(length, "little")
        if body_end > end:
            raise NotStrippable
        body = content[position + 8 : body_end]
        position = body_end + (body_end - position) % 2
        has_picture |= name in (b"VP8 ", b"VP8L")
        if name in _WEBP_CHUNKS:
            yield name + length + _webp_body(name, body) + b"\x00" * (len(body) % 2)
    if not has_picture:
        raise NotStrippable


def _webp_body(name: bytes, body: bytes) -> bytes:
    """Return the body of a WebP chunk. In the extended header (VP8X), flags of removed chunks are
    cleared. Raises NotStrippable for an animation."""
    if name != b"VP8X":
        return body
    if len(body) != 10 or body[0] & _WEBP_MOVES:
        raise NotStrippable
    return bytes((body[0] & _WEBP_ALPHA, 0, 0, 0)) + body[4:]
