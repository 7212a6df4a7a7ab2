"""Decodes still pictures from untrusted sources, or refuses them with a reason (`PictureFault`).

The format is detected from the content. Before anything is decoded, size and frame count are read
from the header and checked against limits. The result is BGR [h, w, 3] as the picture is displayed:
rotated by its EXIF orientation, transparency over white, sixteen bits reduced to eight.
"""

import io
import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import av
import cv2
import numpy as np
from av.error import FFmpegError
from PIL import Image, ImageOps, UnidentifiedImageError

from vision.arrays import Picture
from vision.containers import picture_format_of
from vision.stills import END_OF_JPEG, as_seen

MOST_BYTES: Final = 8 * 1024 * 1024
MOST_PIXELS: Final = 50_000_000
FORMATS: Final = ("JPEG", "PNG", "WEBP")
ANIMATED_FORMATS: Final = ("GIF", "PNG", "WEBP")
SMALLEST_SIDE: Final = 16

# Pillow's warnings become PictureUnusable and are not printed. Filters are set once, at import: one
# set around a call would affect other threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class PictureFault(StrEnum):
    """Why a picture is refused."""

    NOT_A_PICTURE = "not_a_picture"
    FORMAT_NOT_TAKEN = "format_not_taken"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    ANIMATED = "animated"


class PictureUnusable(ValueError):
    """A picture was refused. The field `fault` is the reason.

    The field `facts` has machine-readable details of the fault, such as the width.
    """

    def __init__(self, fault: PictureFault, **facts: str) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.facts = facts


@dataclass(frozen=True, slots=True)
class OpenedPicture:
    """A decoded picture. `notes` name the repairs that the file needed ("end_marker_added")."""

    picture: Picture
    notes: tuple[str, ...] = ()


def open_picture(content: bytes) -> Picture:
    """Decode one still picture. Blocking: call from a thread. Raises PictureUnusable."""
    return read_picture(content).picture


def read_picture(content: bytes, *, most_bytes: int = MOST_BYTES) -> OpenedPicture:
    """Decode one still picture, adding a missing JPEG end marker. Raises PictureUnusable."""
    if len(content) > most_bytes:
        raise PictureUnusable(PictureFault.TOO_LARGE, received_bytes=str(len(content)))
    check_format(content)
    try:
        return OpenedPicture(_picture_of(content))
    except PictureUnusable as problem:
        if problem.fault is not PictureFault.TRUNCATED:
            raise
        mended = content + END_OF_JPEG
        if not _lacks_end_alone(mended):
            raise
        return OpenedPicture(_picture_of(mended), ("end_marker_added",))


def check_format(start: bytes) -> None:
    """Raise PictureUnusable with FORMAT_NOT_TAKEN if a file is HEIC, HEIF or AVIF.

    `start` is the beginning of the file, at least its first 12 bytes. This function accepts all
    other files. `read_picture` refuses unknown formats, and files that are no picture.
    """
    if known := picture_format_of(start):
        raise PictureUnusable(PictureFault.FORMAT_NOT_TAKEN, format=known)


def content_type(picture: bytes) -> str:
    """Return the media type of an encoded picture: image/jpeg, image/png or image/webp.

    The picture must have been opened successfully before: only its first bytes are checked, and
    what is neither JPEG nor PNG is taken to be WebP.
    """
    if picture.startswith(b"\xff\xd8"):
        return "image/jpeg"
    return "image/png" if picture.startswith(b"\x89PNG") else "image/webp"


def _picture_of(content: bytes) -> Picture:
    image = _opened(content)
    _check_header(image)
    return _decoded(image)


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=(*FORMATS, "GIF"))
    except Image.DecompressionBombError as problem:
        raise PictureUnusable(PictureFault.TOO_LARGE) from problem
    except UnidentifiedImageError as problem:
        raise PictureUnusable(PictureFault.NOT_A_PICTURE) from problem
    except Exception as problem:  # decoders fail in many ways on hostile headers
        cut = _known_start(content)
        fault = PictureFault.TRUNCATED if cut else PictureFault.NOT_A_PICTURE
        raise PictureUnusable(fault) from problem


def _lacks_end_alone(mended: bytes) -> bool:
    """Whether a JPEG to which an end marker was added is complete.

    FFmpeg decides, because Pillow, like libjpeg, silently fills missing parts with grey.
    """
    if not mended.startswith(b"\xff\xd8\xff"):
        return False
    coder = av.CodecContext.create("mjpeg", "r")
    coder.options = {"err_detect": "explode", "max_pixels": str(MOST_PIXELS)}
    try:
        return bool(coder.decode(av.Packet(mended)))
    except (FFmpegError, ValueError):
        return False


def _check_header(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise PictureUnusable(PictureFault.TOO_LARGE, width=str(width), height=str(height))
    if image.format in ANIMATED_FORMATS and getattr(image, "is_animated", False):
        raise PictureUnusable(PictureFault.ANIMATED)
    if image.format == "GIF" or min(width, height) < SMALLEST_SIDE:
        raise PictureUnusable(PictureFault.NOT_A_PICTURE)


def _decoded(image: Image.Image) -> Picture:
    try:
        image.load()
        # In place and only if needed: a copy of the picture takes time and memory.
        ImageOps.exif_transpose(image, in_place=True)
        rgb = np.asarray(as_seen(image), np.uint8)
    except Exception as problem:  # the header was valid, so the rest is missing or damaged
        raise PictureUnusable(PictureFault.TRUNCATED) from problem
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


def _known_start(content: bytes) -> bool:
    riff = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    return riff or content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
