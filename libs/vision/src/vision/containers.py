"""Detects the format of a file from its first bytes; names and extensions are ignored.

FFmpeg is given the demuxer chosen here, so that it never follows a playlist or script.
"""

from collections.abc import Iterator
from itertools import islice
from typing import IO, Final

START_BYTES: Final = 4096
"""How many bytes of a file `container_of` and `picture_format_of` need."""
# Plain; with an arrival time before each packet (m2ts); with error correction after each.
TRANSPORT_PACKET_SIZES: Final = (188, 192, 204)
TRANSPORT_SYNC: Final = 0x47
TRANSPORT_PACKETS: Final = 4
BOXES_MAX: Final = 1000
# Brands of ISO files that hold a picture, and the common name of the format.
_PICTURE_BRANDS: Final = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"hevc": "HEIC",
    b"hevx": "HEIC",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
    b"avif": "AVIF",
    b"avis": "AVIF",
}


def container_of(start: bytes) -> str | None:
    """The name of FFmpeg's demuxer for a film that begins with `start`; None if it is not a
    film."""
    if picture_format_of(start):
        return None
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "mov"
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if start.startswith(b"RIFF") and start[8:12] == b"AVI ":
        return "avi"
    return "mpegts" if _is_transport_stream(start) else None


def picture_format_of(start: bytes) -> str:
    """Return "HEIC", "HEIF" or "AVIF" for a picture of these unsupported formats, otherwise ""."""
    return _PICTURE_BRANDS.get(start[8:12], "") if start[4:8] == b"ftyp" else ""


def lacks_index(file: IO[bytes]) -> bool:
    """Whether an MP4 or MOV file was cut off: it has picture data, but not the index that follows.

    Reads only the headers of the file's top-level boxes, and moves the file position.
    """
    boxes = set(islice(_box_names(file), BOXES_MAX))
    return b"mdat" in boxes and not boxes & {b"moov", b"moof"}


def _is_transport_stream(start: bytes) -> bool:
    """Whether packets of equal size begin with the sync byte; the first may be incomplete."""
    return any(
        len(syncs := start[offset::size][:TRANSPORT_PACKETS]) == TRANSPORT_PACKETS
        and set(syncs) == {TRANSPORT_SYNC}
        for size in TRANSPORT_PACKET_SIZES
        for offset in range(size)
    )


def _box_names(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while len(header := file.read(8)) == 8:
        size = int.from_bytes(header[:4], "big")
        yield header[4:]
        read = 8
        if size == 1:
            size, read = int.from_bytes(file.read(8), "big"), 16
        if size < read:  # 0 means to the end of the file; less is not a box
            return
        file.seek(size - read, 1)
