"""What operators are shown is the picture or film, and nothing else of the file."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from vision.pictures import open_picture
from vision.shown_forms import NotShowable, shown_form

SECRET = b"TartipSecretPhone"
PLACE = b"+43.2389+076.9455"


def drawing(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
    """Of a different colour in each corner, so that turning it shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.stack([rows * 3 % 256, columns * 2 % 256, (rows + columns) % 256], -1)
    return Image.fromarray(picture.astype(np.uint8)).convert(mode)


def exif(orientation: int = 1) -> bytes:
    told = Image.Exif()
    told[0x0112] = orientation
    told[0x010F] = SECRET.decode()
    told[0x9286] = PLACE.decode()
    return told.tobytes()


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def jpeg(orientation: int = 1, **options: Any) -> bytes:
    """With EXIF, XMP, IPTC, ICC, a comment, a thumbnail, and something behind the end."""
    written = io.BytesIO()
    drawing().save(
        written,
        "JPEG",
        quality=90,
        exif=exif(orientation),
        comment=SECRET,
        icc_profile=SECRET * 20,
        xmp=b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>",
        **options,
    )
    content = written.getvalue()
    iptc = segment(0xED, b"Photoshop 3.0\x00" + SECRET)
    thumbnail = segment(0xE0, b"JFXX\x00\x10" + SECRET)
    return content[:2] + iptc + thumbnail + content[2:] + SECRET + PLACE


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)


def png(orientation: int = 1, image: Image.Image | None = None) -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", SECRET.decode())
    texts.add_itxt("XML:com.adobe.xmp", SECRET.decode(), zip=True)
    written = io.BytesIO()
    (image or drawing()).save(
        written, "PNG", pnginfo=texts, exif=exif(orientation), icc_profile=SECRET, dpi=(72, 72)
    )
    content = written.getvalue()
    behind = chunk(b"eXIf", exif(orientation)[6:]) + chunk(b"seCr", SECRET)
    end = content.rindex(b"IEND") - 4
    return content[:end] + behind + content[end:] + SECRET


def webp(orientation: int = 1, mode: str = "RGB", **options: Any) -> bytes:
    written = io.BytesIO()
    drawing(mode=mode).save(
        written,
        "WEBP",
        exif=exif(orientation),
        xmp=SECRET,
        icc_profile=SECRET * 20,
        **{"quality": 90, **options},
    )
    content = written.getvalue()
    extra = b"SECR" + struct.pack("<I", len(SECRET)) + SECRET + b"\x00" * (len(SECRET) % 2)
    size = struct.pack("<I", len(content) - 8 + len(extra))
    return content[:4] + size + content[8:] + extra + SECRET


def mp4() -> bytes:
    written = io.BytesIO()
    options = {"movflags": "use_metadata_tags"}
    with av.open(written, "w", format="mp4", options=options) as container:
        container.metadata["location"] = PLACE.decode()
        container.metadata["comment"] = SECRET.decode()
        container.metadata["com.apple.quicktime.location.ISO6709"] = PLACE.decode()
        video: Any = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.metadata["handler_name"] = SECRET.decode()
        sound: Any = container.add_stream("aac", rate=16_000)
        for shade in range(0, 200, 10):
            picture = np.full((48, 64, 3), shade, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        tone = np.sin(np.arange(16_000) / 9, dtype=np.float32)[None] / 2
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.rate = 16_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return written.getvalue()


ALL = {
    "jpeg": jpeg(),
    "progressive jpeg": jpeg(progressive=True),
    "turned jpeg": jpeg(6),
    "png": png(),
    "turned png": png(8),
    "png of 16 bits": png(image=drawing(mode="I;16")),
    "png with a palette": png(image=drawing(mode="P")),
    "transparent png": png(image=drawing(mode="RGBA")),
    "webp": webp(),
    "turned webp": webp(3),
    "lossless webp": webp(lossless=True),
    "transparent webp": webp(mode="RGBA"),
    "mp4": mp4(),
}


@pytest.mark.parametrize("content", ALL.values(), ids=ALL.keys())
def test_nothing_is_left_of_what_was_written_around_the_picture(content: bytes) -> None:
    assert SECRET in content
    form = shown_form(content).content
    assert SECRET not in form and PLACE not in form
    for name in (
        b"Exif",
        b"eXIf",
        b"http://ns.adobe",
        b"ICC_PROFILE",
        b"iCCP",
        b"ICCP",
        b"EXIF",
        b"XMP ",
        b"tEXt",
        b"iTXt",
        b"Photoshop",
        b"JFXX",
        b"x264",
    ):
        assert name not in form, name


@pytest.mark.parametrize(
    "name",
    [
        "jpeg",
        "progressive jpeg",
        "png",
        "png of 16 bits",
        "png with a palette",
        "transparent png",
        "webp",
        "lossless webp",
        "transparent webp",
    ],
)
def test_an_upright_picture_loses_no_pixel(name: str) -> None:
    content = ALL[name]
    before, after = pixels(content), pixels(shown_form(content).content)
    assert before.dtype == after.dtype and np.array_equal(before, after)


def pixels(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)))


MAKERS: dict[str, Callable[[int], bytes]] = {
    "jpeg": jpeg,
    "png": png,
    "webp": lambda o: webp(o, lossless=True),
}


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", MAKERS)
def test_a_picture_that_is_held_another_way_is_turned_as_the_models_see_it(
    kind: str, orientation: int
) -> None:
    """So that boxes, which are of the turned picture, fit what is shown."""
    content = MAKERS[kind](orientation)
    form = shown_form(content).content
    seen, shown = open_picture(content), open_picture(form)
    assert seen.shape == shown.shape
    difference = np.abs(seen.astype(int) - shown.astype(int))
    assert difference.mean() < (0.01 if kind == "png" else 3)
    assert Image.open(io.BytesIO(form)).getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("content", ALL.values(), ids=ALL.keys())
def test_the_form_of_a_form_is_itself(content: bytes) -> None:
    form = shown_form(content)
    if form.content_type != "video/mp4":
        assert shown_form(form.content) == form


@pytest.mark.parametrize("content", ALL.values(), ids=ALL.keys())
def test_the_same_file_has_the_same_form(content: bytes) -> None:
    assert shown_form(content) == shown_form(content)


def plain(file_format: str) -> bytes:
    written = io.BytesIO()
    drawing().save(written, file_format)
    return written.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_where_there_is_nothing_to_leave_out_the_form_is_the_original(file_format: str) -> None:
    content = plain(file_format)
    assert shown_form(content).content == content


def test_a_frame_that_opencv_wrote_is_its_own_form() -> None:
    import cv2

    content = bytes(cv2.imencode(".jpg", np.asarray(drawing()))[1])
    assert shown_form(content).content == content


def test_further_pictures_in_the_file_are_left_out() -> None:
    written = io.BytesIO()
    second = Image.new("RGB", (96, 64), "red")
    drawing().save(written, "MPO", save_all=True, append_images=[second])
    form = shown_form(written.getvalue()).content
    assert form.count(b"\xff\xd8\xff") == 1 and b"MPF" not in form
    for mover in ("PNG", "WEBP"):
        written = io.BytesIO()
        drawing().save(written, mover, save_all=True, append_images=[second], lossless=True)
        with Image.open(io.BytesIO(shown_form(written.getvalue()).content)) as still:
            assert not getattr(still, "is_animated", False)
            difference = np.asarray(still.convert("RGB"), int) - np.asarray(drawing(), int)
            assert np.abs(difference).mean() < 3


def test_a_picture_whose_end_is_missing_gets_one() -> None:
    content = plain("JPEG")
    assert content.endswith(b"\xff\xd9")
    assert shown_form(content[:-2]).content == content


def test_a_film_keeps_every_picture_and_sound() -> None:
    content = mp4()
    form = shown_form(content).content
    for kind in ("video", "audio"):
        before, after = decoded(content, kind), decoded(form, kind)
        assert [moment for moment, _ in before] == [moment for moment, _ in after]
        assert all(
            np.array_equal(one, other) for (_, one), (_, other) in zip(before, after, strict=True)
        )
    with av.open(io.BytesIO(form)) as container:
        kinds = [stream.type for stream in container.streams]
        assert kinds == ["video", "audio"]
        assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands"}


def decoded(content: bytes, kind: str) -> list[tuple[float, Any]]:
    with av.open(io.BytesIO(content), "r") as container:
        chosen: dict[str, Any] = {kind: 0}
        frames: Iterable[Any] = container.decode(**chosen)
        return [(frame.time, frame.to_ndarray()) for frame in frames]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ",
        b"<html>",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x04\x00\x00\x00WEBP",
        b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 60,
        b"%PDF-1.7",
        b"GIF89a" + b"\x00" * 30,
    ],
)
def test_what_is_no_picture_or_film_is_not_shown(content: bytes) -> None:
    with pytest.raises(NotShowable):
        shown_form(content)


def test_a_picture_that_would_fill_memory_is_not_opened() -> None:
    header = (20_000).to_bytes(4) * 2 + bytes((8, 2, 0, 0, 0))
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"tEXt", b"a\x00b")
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(NotShowable):
        shown_form(bomb)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in ALL if name != "mp4"])
def test_spoilt_files_are_shown_without_secrets_or_not_at_all(name: str) -> None:
    rng = random.Random(name)
    for _ in range(150):
        spoilt = bytearray(ALL[name])
        for _ in range(rng.randrange(1, 6)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        del spoilt[rng.randrange(len(spoilt)) if rng.random() < 0.3 else len(spoilt) :]
        try:
            form = shown_form(bytes(spoilt)).content
        except NotShowable:
            continue
        assert PLACE not in form


def test_many_markers_cost_no_more_than_a_look_at_each() -> None:
    """A scan of stuffed zeros or fill bytes must not be looked through again and again."""
    content = plain("JPEG")
    for filler in (b"\xff\x00", b"\xff", b"\xff\xd0"):
        padded = content[:-2] + filler * (4_000_000 // len(filler)) + content[-2:]
        assert len(shown_form(padded).content) >= len(content)
