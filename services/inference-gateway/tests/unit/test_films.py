"""Which frames of a film are looked at, and what is not a film at all."""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from inference_gateway.frames.model import PictureFormatNotTaken
from inference_gateway.ingest import video
from inference_gateway.ingest.video import (
    FilmNotDecodable,
    FilmTruncated,
    NotAFilm,
    Sampling,
    VideoFile,
    sampled_frames,
)
from inference_gateway.ingest.video_account import Outcome, VideoAccount, VideoSummary
from vision.containers import container_of


def film(
    container: str = "mp4",
    *,
    frames: int = 30,
    rate: int = 10,
    codec: str = "mpeg4",
    **options: str,
) -> bytes:
    """Grey frames, each a little lighter than the one before."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate, options=options)
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
    shots = list(sampled_frames(io.BytesIO(film(container)), 2))
    assert [shot.number for shot in shots] == [0, 1, 2, 3, 4, 5]
    assert shots[0].picture.shape == (48, 64, 3)
    assert shots[0].seconds == 0.0


def test_progress_grows_where_the_length_is_known() -> None:
    progress = [shot.progress for shot in sampled_frames(io.BytesIO(film()), 2)]
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
    picture = next(sampled_frames(file, 10)).picture
    assert picture.shape == (64, 48, 3)
    # Turned counterclockwise, what was on the left is below.
    assert picture[-8:].mean() < 40 < 200 < picture[:8].mean()


def test_a_film_that_was_cut_off_ends_where_it_was_cut() -> None:
    whole = film("matroska", frames=200)
    shots = list(sampled_frames(io.BytesIO(whole[: len(whole) // 2]), 10))
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
        list(sampled_frames(io.BytesIO(content), 2))


def test_a_playlist_has_no_container() -> None:
    assert container_of(b"#EXTM3U\n") is None


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_a_picture_that_is_not_taken_is_named_and_no_film(brand: bytes) -> None:
    content = b"\x00\x00\x00\x18ftyp" + brand + bytes(300)
    with pytest.raises(PictureFormatNotTaken) as refused:
        list(sampled_frames(io.BytesIO(content), 2))
    assert refused.value.facts == {"format": {b"mif1": "HEIF"}.get(brand, brand.decode().upper())}


def test_a_film_that_was_cut_before_its_index_is_named() -> None:
    whole = film()
    with pytest.raises(FilmTruncated):
        list(sampled_frames(io.BytesIO(whole[: whole.index(b"moov") - 4]), 2))


def account_of(content: bytes, rate: float = 2.0) -> VideoSummary:
    account = VideoAccount(rate)
    for _ in sampled_frames(io.BytesIO(content), rate, account):
        pass
    return account.summary()


def test_a_whole_film_was_looked_at_whole() -> None:
    assert account_of(film()) == VideoSummary(3_000, 3_000, {})


def test_what_was_cut_off_is_missing_where_the_film_announces_it() -> None:
    whole = film("matroska", frames=200)
    found = account_of(whole[: len(whole) // 2])
    assert found.offered_ms == 20_000
    assert set(found.left_out_ms) == {Outcome.MISSING}
    assert 5_000 < found.left_out_ms[Outcome.MISSING] < 15_000


def test_what_lies_beyond_the_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "VIDEO_SECONDS_MAX", 2.0)
    assert account_of(film()) == VideoSummary(3_000, 2_000, {Outcome.BEYOND_LIMIT: 1_000})


def spoilt(content: bytes, frames: range) -> bytes:
    """A film some of whose packets hold nothing of use."""
    given, file = io.BytesIO(content), io.BytesIO()
    with av.open(given, "r") as source, av.open(file, "w", format="matroska") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size:
                kept: av.Packet = packet
                if number in frames:
                    kept = av.Packet(bytes(packet.size))
                    kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
                kept.stream = stream
                output.mux(kept)
    return file.getvalue()


def test_what_cannot_be_decoded_in_the_middle_and_at_the_end_is_named() -> None:
    broken = spoilt(film("matroska", frames=60), range(20, 40))
    found = account_of(broken)
    assert (found.offered_ms, found.looked_at_ms) == (6_000, 4_000)
    assert found.left_out_ms == {Outcome.UNDECODABLE: 2_000}
    ends = account_of(spoilt(film("matroska", frames=60), range(40, 60)))
    assert (ends.offered_ms, ends.left_out_ms) == (6_000, {Outcome.UNDECODABLE: 2_000})


def test_a_film_of_which_nothing_can_be_decoded_is_named() -> None:
    with pytest.raises(FilmNotDecodable):
        account_of(spoilt(film("matroska"), range(30)))


def test_what_comes_after_a_lost_beginning_is_dated_by_its_place_in_the_film() -> None:
    broken = io.BytesIO(spoilt(film("matroska", frames=60), range(20)))
    assert [shot.seconds for shot in sampled_frames(broken, 1)] == pytest.approx(
        [2.0, 3.0, 4.0, 5.0]
    )
    found = account_of(broken.getvalue())
    assert (found.offered_ms, found.left_out_ms) == (6_000, {Outcome.UNDECODABLE: 2_000})


def test_a_recording_that_begins_within_a_group_of_pictures_keeps_its_time() -> None:
    """Groups of two seconds, with pictures that are shown before those that they refer to."""
    whole = film("mpegts", frames=60, codec="h264", g="20", sc_threshold="0", bf="2")
    cut = whole[len(whole) // 2 // 188 * 188 :]
    of_whole, of_cut = (VideoFile.of(io.BytesIO(content)) for content in (whole, cut))
    lost = of_cut.seconds % 2.0
    assert lost > 0.5
    account = VideoAccount(10.0)
    seconds = [shot.seconds for shot in of_cut.frames(10.0, account)]
    # Of pictures that are shown in another order the first ones are not in the file.
    assert seconds[0] == pytest.approx(lost, abs=0.2)
    assert seconds == pytest.approx([seconds[0] + number / 10 for number in range(20)])
    assert account.summary().looked_at_ms == 2_000
    assert account.summary().left_out_ms == {Outcome.UNDECODABLE: round(seconds[0] * 1000)}
    whole_account = VideoAccount(10.0)
    in_whole = [shot.seconds for shot in of_whole.frames(10.0, whole_account)]
    assert in_whole == pytest.approx([number / 10 for number in range(60)])
    assert whole_account.summary() == VideoSummary(6_000, 6_000, {})
