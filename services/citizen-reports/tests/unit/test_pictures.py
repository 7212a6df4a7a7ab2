"""Pictures that fill memory are told by their header, before anything is decoded."""

import io
import tracemalloc
import zlib

import pytest
from citizen_reports.pictures import is_picture_or_film
from PIL import Image


def png(side: int) -> bytes:
    """Of one colour, made without holding it in memory."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(name + body).to_bytes(4)
        return len(body).to_bytes(4) + name + body + checksum

    header = side.to_bytes(4) * 2 + bytes((8, 2, 0, 0, 0))
    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(bytes(1 + side * 3)) for _ in range(side)) + squeeze.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [7_000, 7_100, 20_000])
def test_a_picture_drawn_to_fill_memory_is_refused_unopened(side: int) -> None:
    bomb = (
        png(side) if side < 10_000 else png(16).replace((16).to_bytes(4) * 2, side.to_bytes(4) * 2)
    )
    tracemalloc.start()
    assert not is_picture_or_film(bomb, "image/png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_screenshot_of_few_bytes_is_a_picture() -> None:
    written = io.BytesIO()
    Image.new("RGB", (1440, 3200), "white").save(written, "PNG")
    assert written.tell() < 50_000
    assert is_picture_or_film(written.getvalue(), "image/png")


def test_a_large_photograph_is_a_picture() -> None:
    written = io.BytesIO()
    Image.effect_noise((6000, 4000), 60).save(written, "JPEG", quality=60)
    assert is_picture_or_film(written.getvalue(), "image/jpeg")
