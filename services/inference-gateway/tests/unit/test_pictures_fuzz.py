"""Whatever stands in a picture's bytes, it is opened or refused by one of four names."""

import io

import numpy as np
from chassis.refusals import Refusal
from hypothesis import example, given, settings
from hypothesis import strategies as st
from inference_gateway.frames.model import (
    NotAPicture,
    PictureAnimated,
    PictureTooLarge,
    PictureTruncated,
    open_picture,
)
from PIL import Image

NAMES = (NotAPicture, PictureAnimated, PictureTooLarge, PictureTruncated)


def _pictures() -> list[bytes]:
    rng = np.random.default_rng(3)
    noise = Image.fromarray(rng.integers(0, 255, (40, 56, 3), np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    shapes: list[tuple[str, Image.Image, dict[str, object]]] = [
        ("JPEG", noise, {"exif": turned}),
        ("JPEG", noise.convert("CMYK"), {"progressive": True}),
        ("PNG", noise, {}),
        ("PNG", noise.convert("P"), {"exif": turned}),
        ("PNG", noise, {"save_all": True, "append_images": [noise.rotate(90)]}),
        ("WEBP", noise, {"lossless": True, "exif": turned}),
        ("WEBP", noise.convert("RGBA"), {"quality": 40}),
        ("WEBP", noise, {"save_all": True, "append_images": [noise.rotate(90)]}),
        ("GIF", noise, {}),
    ]
    made = []
    for form, picture, options in shapes:
        stream = io.BytesIO()
        picture.save(stream, form, **options)
        made.append(stream.getvalue())
    return made


PICTURES = _pictures()
# Headers are at the beginning, and most of what a decoder decides by.
places = st.integers(0, 200) | st.integers(0, 20_000)
changes = st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)
cuts = st.none() | st.integers(0, 20_000)
doubled = st.none() | st.tuples(places, st.integers(1, 64))


def spoilt(
    content: bytes,
    change: list[tuple[int, int]],
    cut: int | None,
    double: tuple[int, int] | None,
) -> bytes:
    """Bytes changed, a piece sent twice, the end missing."""
    spoiled = bytearray(content)
    for place, value in change:
        spoiled[place % len(spoiled)] = value
    if double is not None:
        start, length = double[0] % len(spoiled), double[1]
        spoiled[start:start] = spoiled[start : start + length]
    return bytes(spoiled if cut is None else spoiled[: cut % (len(spoiled) + 1)])


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PICTURES), changes, cuts, doubled)
def test_a_spoilt_picture_is_opened_or_refused_by_name(
    content: bytes,
    change: list[tuple[int, int]],
    cut: int | None,
    double: tuple[int, int] | None,
) -> None:
    opened_or_refused(spoilt(content, change, cut, double))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WEBP", b"GIF89a"]
    ),
    st.binary(max_size=400),
)
@example(b"RIFF\x00\x00\x00\x00WEBP", b"VP8X\n\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff\xff\xff")
def test_anything_behind_a_known_start_is_refused_by_name(start: bytes, rest: bytes) -> None:
    opened_or_refused(start + rest)


def opened_or_refused(content: bytes) -> None:
    try:
        picture = open_picture(content)
    except Refusal as refusal:
        assert isinstance(refusal, NAMES)
    else:
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
