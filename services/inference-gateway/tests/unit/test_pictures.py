"""What is opened, and under which name everything else is refused."""

import io
import struct
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
from chassis.refusals import Refusal
from inference_gateway.frames.model import (
    NotAPicture,
    PictureAnimated,
    PictureFormatNotTaken,
    PictureTooLarge,
    PictureTruncated,
    open_picture,
    read_picture,
)
from PIL import Image
from vision import pictures


def encoded(format: str, size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    stream = io.BytesIO()
    image = Image.new("RGB", size, (200, 30, 10))
    image.putpixel((0, 0), (0, 255, 0))
    image.save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_known_formats_open_as_bgr(format: str) -> None:
    picture = open_picture(encoded(format))
    assert picture.shape == (48, 64, 3)
    blue, _, red = picture[24, 32].tolist()
    assert red > 150 > blue


def test_exif_orientation_is_honoured() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_picture(encoded("JPEG", exif=exif)).shape == (64, 48, 3)


def test_grey_and_transparent_pictures_open() -> None:
    for mode in ("L", "RGBA", "P", "1"):
        stream = io.BytesIO()
        Image.new(mode, (32, 32)).save(stream, "PNG")
        assert open_picture(stream.getvalue()).shape == (32, 32, 3)


@pytest.mark.parametrize("content", [b"", b"hello, I am a text", b"\x00" * 500, b"%PDF-1.4"])
def test_other_content_is_not_a_picture(content: bytes) -> None:
    with pytest.raises(NotAPicture):
        open_picture(content)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_half_a_file_is_truncated(format: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))
    stream = io.BytesIO()
    noise.save(stream, format)
    content = stream.getvalue()
    with pytest.raises(PictureTruncated):
        open_picture(content[: len(content) // 2])


def test_too_many_pixels_are_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_decoded", lambda image: pytest.fail("was decoded"))
    header = bytearray(encoded("PNG"))
    header[16:24] = struct.pack(">II", 10_000, 10_000)
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    with pytest.raises(PictureTooLarge):
        open_picture(bytes(header))


def test_too_many_bytes_are_refused_unopened() -> None:
    with pytest.raises(PictureTooLarge):
        open_picture(b"\xff\xd8\xff" + b"\x00" * pictures.MOST_BYTES)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_moving_pictures_are_refused(format: str) -> None:
    frames = [Image.new("RGB", (32, 32), (shade, 0, 0)) for shade in (10, 200)]
    stream = io.BytesIO()
    frames[0].save(stream, format, save_all=True, append_images=frames[1:])
    with pytest.raises(PictureAnimated):
        open_picture(stream.getvalue())


def test_still_gif_is_not_accepted() -> None:
    with pytest.raises(NotAPicture):
        open_picture(encoded("GIF"))


def test_spoilt_headers_never_escape_as_other_errors() -> None:
    rng = np.random.default_rng(5)
    for format in ("JPEG", "PNG", "WEBP"):
        content = bytearray(encoded(format))
        for _ in range(150):
            spoilt = bytearray(content)
            for place in rng.integers(0, len(spoilt), 4):
                spoilt[place] = int(rng.integers(0, 256))
            with suppress(Refusal):
                open_picture(bytes(spoilt))


def png_of(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_brought_to_eight(channels: int) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    pixels = np.repeat(np.tile(ramp, (32, 1))[:, :, None], channels, 2)
    picture = open_picture(png_of(pixels.squeeze()))
    assert np.abs(picture[5, :, 0].astype(int) - np.arange(256)).max() <= 1


def with_hole(mode: str) -> bytes:
    """A dark square at the left, under full transparency; half of it at the right."""
    alpha = np.full((64, 96), 255, np.uint8)
    alpha[:, :40], alpha[:, 60:] = 0, 128
    image = Image.new("RGB", (96, 64), (10, 10, 10))
    image.putalpha(Image.fromarray(alpha))
    stream = io.BytesIO()
    if mode == "P":
        image.convert("RGB").quantize(4).save(stream, "PNG", transparency=0)
    else:
        image.convert(mode).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_nobody_sees_under_full_transparency_is_not_looked_at(mode: str) -> None:
    picture = open_picture(with_hole(mode))
    assert picture[:, :40].min() == 255
    assert picture[:, 40:60].max() <= 12
    assert 120 < picture[30, 80, 0] < 145


def test_the_colour_that_a_palette_or_grey_picture_makes_transparent_is_white() -> None:
    assert open_picture(with_hole("P")).min() == 255
    for pixels in (np.full((32, 32), 7, np.uint8), np.full((32, 32), 700, np.uint16)):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG", transparency=int(pixels[0, 0]))
        assert open_picture(stream.getvalue()).min() == 255


def photograph(**options: object) -> bytes:
    noise = np.random.default_rng(3).integers(0, 255, (24, 32, 3), np.uint8)
    smooth = Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    smooth.save(stream, "JPEG", quality=92, **options)
    return stream.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_missing_end_marker_is_mended_and_said(options: dict[str, object]) -> None:
    whole = photograph(**options)
    found = read_picture(whole[:-2])
    assert found.notes == ("end_marker_added",)
    assert np.array_equal(found.picture, open_picture(whole))
    assert read_picture(whole).notes == ()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_no_end_marker_makes_a_picture_of_a_part(share: float, options: dict[str, object]) -> None:
    whole = photograph(**options)
    with pytest.raises(PictureTruncated):
        read_picture(whole[: int(len(whole) * share)])


@pytest.mark.parametrize(("brand", "name"), [(b"heic", "HEIC"), (b"avif", "AVIF")])
def test_a_known_format_that_is_not_taken_is_named(brand: bytes, name: str) -> None:
    with pytest.raises(PictureFormatNotTaken) as refused:
        open_picture(b"\x00\x00\x00\x18ftyp" + brand + bytes(500))
    assert refused.value.facts == {"format": name}
