"""Which frames of a film are looked at, and what is not a film at all."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from inference_gateway.films import (
    AddressNotRtsp,
    NotAFilm,
    Sampling,
    check_rtsp,
    container_of,
    film_shots,
)


def film(container: str = "mp4", *, frames: int = 30, rate: int = 10) -> bytes:
    """Grey frames, each a little lighter than the one before."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            grey = np.full((48, 64, 3), number * 8 % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def sampled(times: list[float], *, rate: float) -> list[float]:
    sampling = Sampling(rate)
    return [at for at in times if sampling.number(at) is not None]


def test_the_first_frame_of_every_interval_is_taken() -> None:
    times = [number / 25 for number in range(50)]
    assert sampled(times, rate=2) == [0.0, 0.52, 1.0, 1.52]


def test_a_rate_above_the_films_takes_every_frame_once() -> None:
    times = [0.0, 0.1, 0.2, 0.3]
    assert sampled(times, rate=30) == times


def test_a_gap_is_not_made_up_for() -> None:
    assert sampled([0.0, 5.0, 5.1, 5.6], rate=2) == [0.0, 5.0, 5.6]


def test_a_rounded_time_belongs_to_the_interval_it_meant() -> None:
    assert sampled([0.0, 0.49999999, 0.52], rate=2) == [0.0, 0.49999999]


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi", "mpegts"])
def test_films_are_told_by_their_content(container: str) -> None:
    shots = list(film_shots(io.BytesIO(film(container)), 2))
    assert [shot.number for shot in shots] == [0, 1, 2, 3, 4, 5]
    assert shots[0].picture.shape == (48, 64, 3)
    assert shots[0].seconds == 0.0


def test_progress_grows_where_the_length_is_known() -> None:
    progress = [shot.progress for shot in film_shots(io.BytesIO(film()), 2)]
    assert progress[0] == 0.0
    assert progress == sorted(progress)
    assert 0.7 < progress[-1] <= 1.0


def test_a_film_on_its_side_is_turned_upright() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(90)
        left_dark = np.full((48, 64, 3), 255, np.uint8)
        left_dark[:, :32] = 0
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(left_dark, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    picture = next(film_shots(file, 10)).picture
    assert picture.shape == (64, 48, 3)
    # Turned counterclockwise, what was on the left is below.
    assert picture[-8:].mean() < 40 < 200 < picture[:8].mean()


def test_a_film_that_was_cut_off_ends_where_it_was_cut() -> None:
    whole = film("matroska", frames=200)
    shots = list(film_shots(io.BytesIO(whole[: len(whole) // 2]), 10))
    assert 10 < len(shots) < 200


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a film",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\x1a\x45\xdf\xa3" + b"nothing more",
        b"\x00\x00\x00\x20ftypisom" + bytes(100),
        b"\xff\xd8\xff\xe0" + bytes(1000),
    ],
)
def test_what_is_no_film_is_refused_and_no_playlist_followed(content: bytes) -> None:
    with pytest.raises(NotAFilm):
        list(film_shots(io.BytesIO(content), 2))


def test_a_playlist_has_no_container() -> None:
    assert container_of(b"#EXTM3U\n") is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://camera/1",
        "rtsp://",
        "file:///etc/passwd",
        "rtsp://host:99999/x",
        "rtsp:/x",
        "/x",
    ],
)
def test_only_rtsp_addresses_are_pulled(address: str) -> None:
    with pytest.raises(AddressNotRtsp):
        check_rtsp(address)


@pytest.mark.parametrize("address", ["rtsp://10.0.0.1/live", "rtsps://u:p@camera.kz:322/1?x=y"])
def test_rtsp_addresses_are_let_through(address: str) -> None:
    check_rtsp(address)
