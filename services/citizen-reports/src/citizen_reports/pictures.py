"""Verification that bytes are a picture or film of the announced type.

The bytes, including EXIF data, are evidence and never rewritten; the evidence store makes the copy
that operators are shown.
"""

import io
import threading

from PIL import Image

from citizen_reports.model.media import FILMS, PICTURES

PIXELS_MAX = 50_000_000
# A larger picture may have at most so many pixels a byte. Photographs have fewer; more is an attack
# on memory (7000 x 7000 pixels of one colour are 190 KB, and 150 MB decoded).
PIXELS_UNCHECKED = 12_000_000
PIXELS_A_BYTE_MAX = 100
# A decoded picture needs four bytes a pixel: one is decoded at a time.
_opening = threading.Lock()


def is_picture_or_film(content: bytes, content_type: str) -> bool:
    """Whether the content is a picture or film of this type. A picture is decoded, which is slow:
    do not call this on the event loop. Of a film, only the signature at its beginning is checked.
    """
    if content_type in FILMS:
        return content[4:8] == b"ftyp"
    try:
        with Image.open(io.BytesIO(content), formats=[PICTURES[content_type]]) as picture:
            if not _may_be_opened(picture.width * picture.height, len(content)):
                return False
            with _opening:
                picture.load()
    except Exception:  # whatever a decoder makes of hostile bytes, it is no picture
        return False
    return True


def _may_be_opened(pixels: int, size_bytes: int) -> bool:
    if pixels <= PIXELS_UNCHECKED:
        return True
    return pixels <= PIXELS_MAX and pixels <= size_bytes * PIXELS_A_BYTE_MAX
