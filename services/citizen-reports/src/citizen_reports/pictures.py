"""Whether bytes are the picture or film they say they are.

Only looked at, never written anew: what was handed in is kept as evidence bit for bit, with
whatever EXIF it holds; the evidence store makes the form that operators are shown.
"""

import io
import threading

from PIL import Image

from citizen_reports.model.media import FILMS, PICTURES

PIXELS_MAX = 50_000_000
# A larger picture needs a byte for so many of its pixels. What a camera takes has more; what has
# less is drawn to fill memory (7000 x 7000 pixels of one colour are 190 KB, and 150 MB opened).
PIXELS_UNCHECKED = 12_000_000
PIXELS_A_BYTE_MAX = 100
# Opened, a picture costs four bytes a pixel: one at a time.
_opening = threading.Lock()


def is_picture_or_film(content: bytes, content_type: str) -> bool:
    """Slow, for it decodes the whole: not on the event loop."""
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
