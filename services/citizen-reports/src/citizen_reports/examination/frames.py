"""Checks if a voice message was cut off within its last page or frame, by the length stated there.

A file that was cut off between two frames is not recognised. MP3 files are not checked: editors
save complete MP3 files that end within a frame.
"""

from collections.abc import Callable
from typing import IO, Final

# From the content and the position of a page or frame, returns where the next one begins, which may
# be beyond the end of the content. None if there is no page or frame at the given position.
Next = Callable[[bytes, int], int | None]
# Bytes of a frame by mode, with its header byte (RFC 4867, section 5.3; 3GPP TS 26.101 and 26.201).
_AMR_BYTES: Final = {0: 13, 1: 14, 2: 16, 3: 18, 4: 20, 5: 21, 6: 27, 7: 32, 8: 6, 15: 1}
_AMR_WB_BYTES: Final = {
    **{0: 18, 1: 24, 2: 33, 3: 37, 4: 41, 5: 47, 6: 51, 7: 59, 8: 61, 9: 6},
    **{14: 1, 15: 1},
}
_AMR, _AMR_WB = b"#!AMR\n", b"#!AMR-WB\n"
_OGG_HEADER_BYTES: Final = 27
_ADTS_HEADER_BYTES: Final = 7


def ends_within_a_frame(file: IO[bytes], reader: str) -> bool:
    """Return whether the last page or frame of a file is longer than the rest of the file. `reader`
    is FFmpeg's name of the format; returns False for all but "ogg", "amr" and "aac"."""
    steps: dict[str, Next] = {"ogg": _next_of_ogg, "amr": _next_of_amr, "aac": _next_of_adts}
    if reader not in steps:
        return False
    file.seek(0)
    content = file.read()  # at most 20 MiB, in memory already
    place: int | None = _beginning(content)
    while place is not None and place < len(content):
        place = steps[reader](content, place)
    return place is not None and place > len(content)


def _beginning(content: bytes) -> int:
    """The position of the first page or frame, which follows a file signature or an ID3 tag."""
    for magic in (_AMR, _AMR_WB):
        if content.startswith(magic):
            return len(magic)
    if content.startswith(b"ID3") and len(content) >= 10:
        sizes = content[6:10]  # seven bits of each
        return 10 + sum(part << 7 * (3 - place) for place, part in enumerate(sizes))
    return 0


def _next_of_ogg(content: bytes, place: int) -> int | None:
    header = content[place : place + _OGG_HEADER_BYTES]
    if not (header.startswith(b"OggS") or b"OggS".startswith(header)):
        return None
    if len(header) < _OGG_HEADER_BYTES:
        return place + _OGG_HEADER_BYTES
    segments = content[place + len(header) : place + len(header) + header[-1]]
    missing = header[-1] - len(segments)
    return place + len(header) + len(segments) + missing + sum(segments)


def _next_of_amr(content: bytes, place: int) -> int | None:
    sizes = _AMR_WB_BYTES if content.startswith(_AMR_WB) else _AMR_BYTES
    size = sizes.get(content[place] >> 3 & 0xF)
    return None if size is None else place + size


def _next_of_adts(content: bytes, place: int) -> int | None:
    header = content[place : place + _ADTS_HEADER_BYTES]
    if header[0] != 0xFF or (len(header) > 1 and header[1] & 0xF6 != 0xF0):
        return None
    if len(header) < _ADTS_HEADER_BYTES:
        return place + _ADTS_HEADER_BYTES
    size = (header[3] & 0b11) << 11 | header[4] << 3 | header[5] >> 5
    return place + size if size >= _ADTS_HEADER_BYTES else None
