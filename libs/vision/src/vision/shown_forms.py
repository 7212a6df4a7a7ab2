"""Makes the copy of evidence that operators are shown: the picture or film without metadata.

A file whose structure is valid is copied without loss. A picture whose EXIF orientation is not
upright is rotated and encoded anew. So the boxes of detections, which are found in the upright
picture, fit the copy. The format is detected from the first bytes; names and stated types are not
used.
"""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

from vision.metadata import (
    JPEG_START,
    PNG_START,
    NotStrippable,
    stripped_jpeg,
    stripped_png,
    stripped_webp,
)
from vision.pictures import FORMATS, MOST_PIXELS
from vision.video_copies import copied_video

QUALITY: Final = 95
_UPRIGHT: Final = 1
_ORIENTATION: Final = 0x0112
_STRIP: Final[dict[str, Callable[[bytes], bytes]]] = {
    "image/jpeg": stripped_jpeg,
    "image/png": stripped_png,
    "image/webp": stripped_webp,
}
_FORMATS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
# A picture opened costs four bytes a pixel and more: one at a time.
_opening = threading.Lock()


class NotShowable(ValueError):
    """A file of which no copy for operators can be made.

    Its format is unsupported, or it is damaged or too large.
    """


@dataclass(frozen=True)
class ShownForm:
    content_type: str
    content: bytes


def shown_form(content: bytes) -> ShownForm:
    """The copy of a picture or film that operators are shown, without metadata.

    This function blocks: call it from a thread. Raises NotShowable.
    """
    content_type = _type_of(content)
    make = copied_video if content_type == "video/mp4" else _upright_picture
    try:
        return ShownForm(content_type, make(content))
    except Exception as problem:  # decoders fail in many ways on hostile files
        raise NotShowable from problem


def _type_of(content: bytes) -> str:
    if content.startswith(JPEG_START):
        return "image/jpeg"
    if content.startswith(PNG_START):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp":
        return "video/mp4"
    raise NotShowable


def _upright_picture(content: bytes) -> bytes:
    """Return a picture upright and without metadata. Raises NotShowable, before anything is
    decoded, for more than `MOST_PIXELS` pixels."""
    content_type = _type_of(content)
    strip = _STRIP[content_type]
    stripped = _stripped(strip, content)
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise NotShowable
        if stripped == content:  # nothing was left out, so there is no EXIF
            return content
        with _opening:  # a PNG is decoded even for its EXIF, which may stand behind the picture
            if stripped is not None and image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT:
                return stripped
            return strip(_encoded_upright(image, _FORMATS[content_type]))


def _stripped(strip: Callable[[bytes], bytes], content: bytes) -> bytes | None:
    """Return a picture without metadata, None if the picture must be encoded anew."""
    try:
        return strip(content)
    except NotStrippable:
        return None


def _encoded_upright(image: Image.Image, file_format: str) -> bytes:
    written = io.BytesIO()
    turned = ImageOps.exif_transpose(image)
    if file_format == "JPEG" and turned.mode not in ("L", "RGB"):
        turned = turned.convert("RGB")
    turned.save(written, file_format, quality=QUALITY, subsampling=0)
    return written.getvalue()
