"""Encodes small JPEG pictures, which serve as blurred forms and as first frames of films."""

import io
from typing import Final

from PIL import Image

SIDE_MAX: Final = 1600
"""The longest side of a picture in pixels. A face or plate that is too small for a model to find is
smaller still at this size."""
QUALITY: Final = 85


def preview_of(picture: Image.Image, quality: int = QUALITY) -> bytes:
    """Return an RGB picture as a JPEG of at most SIDE_MAX pixels a side. A larger `picture` is
    itself reduced to this size."""
    picture.thumbnail((SIDE_MAX, SIDE_MAX))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=quality)
    return written.getvalue()
