"""Pictures that strangers send, opened by `vision.pictures` and refused by name."""

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.refusals import Kind, Refusal
from vision import pictures
from vision.arrays import Picture
from vision.pictures import OpenedPicture, PictureFault, PictureUnusable


class NotAPicture(Refusal):
    kind = Kind.INVALID
    code = "NOT_A_PICTURE"


class PictureFormatNotTaken(Refusal):
    kind = Kind.INVALID
    code = "PICTURE_FORMAT_NOT_TAKEN"


class PictureTruncated(Refusal):
    kind = Kind.INVALID
    code = "PICTURE_TRUNCATED"


class PictureTooLarge(Refusal):
    kind = Kind.INVALID
    code = "PICTURE_TOO_LARGE"


class PictureAnimated(Refusal):
    kind = Kind.INVALID
    code = "PICTURE_ANIMATED"


REFUSALS: dict[PictureFault, type[Refusal]] = {
    PictureFault.NOT_A_PICTURE: NotAPicture,
    PictureFault.FORMAT_NOT_TAKEN: PictureFormatNotTaken,
    PictureFault.TRUNCATED: PictureTruncated,
    PictureFault.TOO_LARGE: PictureTooLarge,
    PictureFault.ANIMATED: PictureAnimated,
}


def open_picture(content: bytes) -> Picture:
    """Decode one still picture, or refuse by name. Blocking: call it from a thread."""
    return read_picture(content).picture


def read_picture(content: bytes) -> OpenedPicture:
    """The same, with what had to be mended."""
    with _refused_by_name():
        return pictures.read_picture(content)


def check_format(start: bytes) -> None:
    """Raises PictureFormatNotTaken for content that begins so."""
    with _refused_by_name():
        pictures.check_format(start)


@contextmanager
def _refused_by_name() -> Iterator[None]:
    try:
        yield
    except PictureUnusable as problem:
        raise REFUSALS[problem.fault](facts=problem.facts) from problem


def content_type(picture: bytes) -> str:
    """Of a picture that was decoded, so one of the three."""
    if picture.startswith(b"\xff\xd8"):
        return "image/jpeg"
    return "image/png" if picture.startswith(b"\x89PNG") else "image/webp"
