"""A voice message that ends within a page or frame is known to be cut; no whole one is."""

import io

import pytest
from citizen_reports.examination.frames import ends_within_a_frame

PAGE = b"OggS" + bytes(22)


def ogg(*pages: bytes) -> bytes:
    """Pages of one segment each."""
    return b"".join(PAGE + bytes((1, len(body))) + body for body in pages)


def adts(*bodies: bytes) -> bytes:
    frames = []
    for body in bodies:
        size = 7 + len(body)
        sizes = bytes((size >> 11 & 0b11, size >> 3 & 0xFF, (size & 0b111) << 5))
        frames.append(b"\xff\xf1\x50" + sizes + b"\xfc" + body)
    return b"".join(frames)


AMR = b"#!AMR\n" + (b"\x3c" + bytes(31)) * 3 + b"\x7c"  # 12.2 kbit/s, and a frame without data
AMR_WB = b"#!AMR-WB\n" + (b"\x44" + bytes(60)) * 3 + b"\x7c"  # 23.85 kbit/s
TAG = b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128)
WHOLE = {
    "OGG": ("ogg", ogg(b"head", bytes(200), bytes(255), b"")),
    "AMR": ("amr", AMR),
    "AMR-WB": ("amr", AMR_WB),
    "AAC": ("aac", adts(bytes(300), bytes(20), b"")),
    "AAC with tags": ("aac", TAG + adts(bytes(300), bytes(20))),
}
# Where each ends, counted from the end, between two pages or frames or before the first.
BETWEEN = {
    "OGG": {28, 311, 539, 571},
    "AMR": {1, 33, 65, 97},
    "AMR-WB": {1, 62, 123, 184},
    "AAC": {7, 34, 341},
    "AAC with tags": {27, 334},
}


def is_cut(name: str, content: bytes) -> bool:
    return ends_within_a_frame(io.BytesIO(content), WHOLE[name][0])


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_one_is_not_cut_whatever_follows_it(name: str) -> None:
    whole = WHOLE[name][1]
    assert not is_cut(name, whole)
    assert not is_cut(name, whole + b"<html>" * 20)


@pytest.mark.parametrize("name", WHOLE)
def test_wherever_it_is_cut_but_between_two_frames_it_is_known(name: str) -> None:
    whole = WHOLE[name][1]
    first = 145 if name == "AAC with tags" else 9  # the beginning, by which a file is known
    missed = {left for left in range(1, len(whole) - first) if not is_cut(name, whole[:-left])}
    assert missed == {left for left in BETWEEN[name] if left < len(whole) - first}


def test_other_formats_have_no_such_frames() -> None:
    assert not ends_within_a_frame(io.BytesIO(b"RIFF"), "wav")
