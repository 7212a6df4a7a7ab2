"""A film is told by its content, a picture that is not taken by its name."""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vision.containers import container_of, lacks_index, picture_format_of
from vision.packets import timed

PACKET = bytes([0x47]) + bytes(187)


def film(container: str, *, frames: int = 30, rate: int = 10) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            grey = np.full((48, 64, 3), number * 8 % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "demuxer"),
    [("mp4", "mov"), ("matroska", "matroska"), ("avi", "avi"), ("mpegts", "mpegts")],
)
def test_films_are_told_by_their_content(container: str, demuxer: str) -> None:
    content = film(container)
    assert container_of(content[:4096]) == demuxer
    with av.open(io.BytesIO(content), format=demuxer) as opened:
        assert timed(opened).end == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize(
    "packet",
    [PACKET, bytes(4) + PACKET, PACKET + bytes(16)],
    ids=["188", "192 with an arrival time", "204 with error correction"],
)
@pytest.mark.parametrize("cut", [0, 1, 100])
def test_transport_packets_of_every_size_are_a_film_wherever_the_recording_begins(
    packet: bytes, cut: int
) -> None:
    assert container_of((packet * 8)[cut:]) == "mpegts"


@pytest.mark.parametrize(
    ("brand", "name"), [(b"heic", "HEIC"), (b"mif1", "HEIF"), (b"avif", "AVIF"), (b"isom", "")]
)
def test_pictures_in_iso_files_are_named_and_no_films(brand: bytes, name: str) -> None:
    start = b"\x00\x00\x00\x18ftyp" + brand + bytes(12)
    assert picture_format_of(start) == name
    assert container_of(start) == (None if name else "mov")


def test_a_film_without_its_index_was_cut() -> None:
    whole = film("mp4")
    assert not lacks_index(io.BytesIO(whole))
    assert lacks_index(io.BytesIO(whole[: whole.index(b"moov") - 4]))
    assert not lacks_index(io.BytesIO(b"\x00\x00\x00\x20ftypisom" + bytes(100)))


@given(st.binary(max_size=300))
def test_no_content_breaks_the_look_at_its_beginning(content: bytes) -> None:
    container_of(content)
    lacks_index(io.BytesIO(content))
