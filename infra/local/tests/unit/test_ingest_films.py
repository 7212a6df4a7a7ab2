"""When a film began, what became of its seconds, and copies that show what the mesh looked at."""

import datetime as dt
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tartip.inference.v1 import inference_pb2 as inference
from tartip_cli.cli.console import console
from tartip_cli.cli.ingest.accounts import Account, account_as_json
from tartip_cli.cli.ingest.client import FileAnswer
from tartip_cli.cli.ingest.command import _hour, _Lines
from tartip_cli.cli.ingest.copies import Copies
from tartip_cli.cli.ingest.hours import Began, By, began, parse_hour
from tartip_cli.cli.ingest.sources import Source, sources_of
from tartip_cli.cli.ingest.summary import Summary
from tartip_cli.failures import Failure

NOW = dt.datetime(2026, 11, 27, 15, 0, tzinfo=dt.UTC)


def film(
    path: Path,
    *,
    frames: int = 30,
    created: str = "",
    aspect: Fraction = Fraction(1),
    jump: int = 0,
) -> Path:
    """Ten frames a second; from the middle on its stamps are so many seconds ahead."""
    with av.open(str(path), "w") as out:
        if created:
            out.metadata["creation_time"] = created
        stream: Any = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for number in range(frames):
            grey = np.full((48, 64, 3), 40 + number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="bgr24")
            frame.pts = number + (10 * jump if number >= frames // 2 else 0)
            frame.time_base = Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2026-11-27T13:30:00Z", dt.datetime(2026, 11, 27, 13, 30, tzinfo=dt.UTC)),
        ("2026-11-27T18:30:05+05:00", dt.datetime(2026, 11, 27, 13, 30, 5, tzinfo=dt.UTC)),
        ("2026-11-27 18:30", dt.datetime(2026, 11, 27, 13, 30, tzinfo=dt.UTC)),
        (" 2024-02-29T23:59:59 ", dt.datetime(2024, 2, 29, 17, 59, 59, tzinfo=dt.UTC)),
        ("2024-03-01T00:00:00", dt.datetime(2024, 2, 29, 19, tzinfo=dt.UTC)),
    ],
)
def test_an_hour_without_a_zone_is_almatys(told: str, meant: dt.datetime) -> None:
    assert parse_hour(told, now=NOW) == meant


@pytest.mark.parametrize("told", ["", "yesterday", "18:30", "2026-11-27T20:30:00", "2026-13-01"])
def test_what_is_no_moment_or_has_not_come_is_refused(told: str) -> None:
    with pytest.raises(Failure, match="taken-at"):
        parse_hour(told, now=NOW)


def test_an_hour_is_for_one_file() -> None:
    one, two = Source("a.mp4", Path("a.mp4")), Source("b.mp4", Path("b.mp4"))
    assert _hour("", [one, two]) is None
    assert _hour("2020-01-01", [one]) is not None
    for sources in ([one, two], [Source("rtsp://camera/1", None)]):
        with pytest.raises(Failure, match="one file"):
            _hour("2020-01-01", sources)


@pytest.mark.parametrize(
    ("given", "created", "at", "by"),
    [
        (NOW - dt.timedelta(days=3), "2026-11-01T10:00:00Z", NOW - dt.timedelta(days=3), By.USER),
        (None, "2026-11-01T10:00:00Z", dt.datetime(2026, 11, 1, 10, tzinfo=dt.UTC), By.FILE),
        (None, "1904-01-01T00:00:00Z", NOW - dt.timedelta(seconds=3), By.ARRIVAL),
        (None, "2026-11-27T14:59:58Z", NOW - dt.timedelta(seconds=3), By.ARRIVAL),
        (None, "2099-01-01T00:00:00Z", NOW - dt.timedelta(seconds=3), By.ARRIVAL),
        (None, "", NOW - dt.timedelta(seconds=3), By.ARRIVAL),
    ],
)
def test_a_film_began_as_its_user_or_its_file_says_or_so_that_it_is_over(
    given: dt.datetime | None, created: str, at: dt.datetime, by: By, tmp_path: Path
) -> None:
    found = began(film(tmp_path / "film.mp4", created=created), given, now=NOW)
    assert found.by is by
    assert abs(found.at - at) < dt.timedelta(seconds=0.2)


def test_stamps_that_jump_do_not_make_a_film_longer(tmp_path: Path) -> None:
    found = began(film(tmp_path / "film.ts", jump=9000), None, now=NOW)
    assert abs(found.at - (NOW - dt.timedelta(seconds=3))) < dt.timedelta(seconds=0.2)


def test_what_is_no_film_is_left_to_the_mesh_to_name(tmp_path: Path) -> None:
    broken = tmp_path / "film.mp4"
    broken.write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(100))
    assert began(broken, None, now=NOW) == Began(NOW, By.ARRIVAL)


def test_films_are_told_by_content_and_streams_by_scheme(tmp_path: Path) -> None:
    named = film(tmp_path / "film.mp4")
    unnamed = tmp_path / "recording.dat"
    unnamed.write_bytes(named.read_bytes())
    photograph = tmp_path / "photograph.mp4"
    photograph.write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(100))
    assert [s.is_film for s in sources_of([str(named), str(unnamed), str(photograph)])] == [
        True,
        True,
        False,
    ]
    assert Source("dash.m2ts", Path("dash.m2ts")).is_film
    [stream] = sources_of([" RTSP://viewer:secret@camera.example/Main"])
    assert stream.is_stream and "secret" not in stream.shown
    assert stream.name == "RTSP://viewer:secret@camera.example/Main"


def account(**left_out: float) -> Account:
    summary = inference.FilmSummary(
        offered_seconds=6.0,
        looked_at_seconds=6.0 - sum(left_out.values()),
        left_out_seconds=left_out,
        discontinuities=1,
        notes=["stamps_bridged"],
    )
    summary.started_at.FromJsonString("2026-11-27T13:30:00Z")
    return Account(summary, Began(NOW, By.FILE))


def test_the_table_ends_with_what_became_of_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 200)
    summary = Summary()
    source = Source("film.ts", Path("film.ts"))
    summary.take(source, inference.FrameResult())
    summary.account(source, account(undecodable=1.5, no_picture=0.5))
    with console.capture() as printed:
        summary.show(None)
    told = " ".join(printed.get().split())
    for part in ("6.0", "4.0", "1.5 undecodable", "0.5 no picture", "2026-11-27 18:30:00"):
        assert part in told


def test_the_last_object_of_a_film_holds_its_account_and_no_line_is_added(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = _Lines(Source("film.mp4", film(tmp_path / "film.mp4")))
    for share in (0.3, 0.6, 1.0):
        lines.take(FileAnswer(inference.FrameResult(), share))
    lines.take(FileAnswer(None, 1.0, account()))
    lines.end()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == 3
    assert all({"file", "plates", "objects", "faces", "events"} <= set(one) for one in told)
    assert ["account" in one for one in told] == [False, False, True]
    assert told[-1]["account"] == account_as_json(account())


def test_what_a_stream_shows_is_printed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _Lines(Source("rtsp://camera/1", None))
    lines.take(FileAnswer(inference.FrameResult(), 0.0))
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_copy_has_square_pixels_and_the_moments_that_the_mesh_counts(tmp_path: Path) -> None:
    odd = film(tmp_path / "film.ts", aspect=Fraction(2), jump=9000)
    (tmp_path / "drawn").mkdir()
    result = inference.FrameResult()
    result.captured_at.FromJsonString("2026-11-27T00:00:00Z")
    path = Copies(tmp_path / "drawn").draw(Source(odd.name, odd), [result], lambda _: None)
    with av.open(str(path)) as copy:
        shown = [(frame.time, frame.width / frame.height) for frame in copy.decode(video=0)]
    assert len(shown) == 30
    assert shown[-1][0] == pytest.approx(2.9, abs=0.05)
    assert shown[0][1] == pytest.approx(128 / 48, rel=0.02)


def test_a_mended_and_a_transparent_picture_can_be_drawn(tmp_path: Path) -> None:
    from PIL import Image

    whole, hole = io.BytesIO(), tmp_path / "hole.png"
    Image.new("RGB", (200, 100), (90, 120, 60)).save(whole, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[:-2])
    Image.new("RGBA", (200, 100), (0, 0, 0, 0)).save(hole)
    (tmp_path / "drawn").mkdir()
    copies = Copies(tmp_path / "drawn")
    for name, level in (("cut.jpg", 95), ("hole.png", 255)):
        path = copies.draw(Source(name, tmp_path / name), [], lambda _: None)
        with Image.open(path) as copy:
            assert abs(float(np.asarray(copy).mean()) - level) < 12
