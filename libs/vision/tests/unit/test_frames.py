"""Frames come out as people see them."""

import io
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from vision.frames import picture_of
from vision.pixel_shapes import pixel_aspect_of, shown_size


def decoded(picture: np.ndarray, *, aspect: str = "1:1", **options: str) -> tuple[Any, Fraction]:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream: Any = output.add_stream("h264", rate=10, options={"crf": "4", **options})
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(*map(int, aspect.split(":")))
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    with av.open(file, "r", format="mov") as container:
        shown = container.streams.video[0]
        return next(container.decode(shown)), pixel_aspect_of(shown)


@pytest.mark.parametrize(
    ("aspect", "size"), [("2:1", (128, 48)), ("1:2", (64, 96)), ("12:11", (70, 48))]
)
def test_pixels_that_are_not_square_are_drawn_out(aspect: str, size: tuple[int, int]) -> None:
    frame, found = decoded(np.full((48, 64, 3), 90, np.uint8), aspect=aspect)
    assert picture_of(frame, found).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("told", [Fraction(200), Fraction(1, 200), None, Fraction(0)])
def test_an_aspect_that_no_camera_has_is_a_mistake_of_the_file(told: Fraction | None) -> None:
    coder = SimpleNamespace(sample_aspect_ratio=None)
    stream = SimpleNamespace(sample_aspect_ratio=told, codec_context=coder)
    assert pixel_aspect_of(stream) == 1
    assert shown_size(64, 48, Fraction(1)) == (64, 48)


def test_of_two_moments_woven_into_a_frame_one_is_shown() -> None:
    """What stood at the left in one field and at the right in the other stands in one place."""
    woven = np.full((96, 128, 3), 40, np.uint8)
    woven[::2, 20:50] = 220
    woven[1::2, 70:100] = 220
    frame, _ = decoded(woven, **{"x264-params": "interlaced=1"})
    assert frame.interlaced_frame
    shown = picture_of(frame)
    assert shown.shape == woven.shape
    middle = shown[8:-8].mean(2)
    assert middle[:, 28:42].min() > 190
    assert middle[:, 78:92].max() < 70
