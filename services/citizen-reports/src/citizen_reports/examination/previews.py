"""Small JPEG pictures by which a file is previewed: blurred forms and first frames of films."""

import io
from typing import Final

from PIL import Image

SIDE_MAX: Final = 1600
"""In pixels: what a model does not find because it is small is smaller still in a preview."""
QUALITY: Final = 85


def preview_of(picture: Image.Image, quality: int = QUALITY) -> bytes:
    """Return an RGB picture as a JPEG of at most SIDE_MAX pixels a side; it is made smaller in
    place."""
    picture.thumbnail((SIDE_MAX, SIDE_MAX))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=quality)
    return written.getvalue()
