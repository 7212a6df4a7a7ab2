"""Whether bytes are the picture or film they say they are.

Only looked at, never written anew: what was handed in is kept as evidence bit for bit, with
whatever EXIF it holds, and shown to nobody but through the evidence store.
"""

import io

from PIL import Image

from citizen_reports.model.media import FILMS, PICTURES

PIXELS_MAX = 50_000_000


def is_picture_or_film(content: bytes, content_type: str) -> bool:
    """Slow, for it decodes the whole: not on the event loop."""
    if content_type in FILMS:
        return content[4:8] == b"ftyp"
    try:
        with Image.open(io.BytesIO(content), formats=[PICTURES[content_type]]) as picture:
            if picture.width * picture.height > PIXELS_MAX:
                return False
            picture.load()
    except Exception:  # whatever a decoder makes of hostile bytes, it is no picture
        return False
    return True
