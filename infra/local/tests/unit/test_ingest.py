"""What `tartip ingest` tells and draws of results: the JSON, the table's sums, the copies."""

import datetime as dt
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tartip.inference.v1 import inference_pb2 as inference
from tartip_cli.cli.console import console
from tartip_cli.cli.ingest.copies import CAPTION_SECONDS, Copies, Looks
from tartip_cli.cli.ingest.drawing import Mark, draw, enlarged
from tartip_cli.cli.ingest.shapes import as_json_of
from tartip_cli.cli.ingest.sources import Source, SourceReadings, sources_of
from tartip_cli.cli.ingest.summary import Summary, kind_of
from tartip_cli.failures import Failure
from tartip_cli.main import whole_app
from typer.testing import CliRunner

START = dt.datetime(2026, 11, 20, 10, 0, 0, tzinfo=dt.UTC)
FILM = Source("film.mp4", Path("film.mp4"))
PICTURE = Source("picture.jpg", Path("picture.jpg"))


def box(x: float, y: float, width: float = 40, height: float = 20) -> inference.Box:
    return inference.Box(x=x, y=y, width=width, height=height)


def frame(
    seconds: float,
    *,
    objects: tuple[inference.SeenObject, ...] = (),
    plates: tuple[inference.Plate, ...] = (),
    events: tuple[inference.EmittedEvent, ...] = (),
) -> inference.FrameResult:
    result = inference.FrameResult(objects=objects, plates=plates, events=events)
    result.captured_at.FromDatetime((START + dt.timedelta(seconds=seconds)).replace(tzinfo=None))
    return result


def car(x: float, track: int = 0) -> inference.SeenObject:
    return inference.SeenObject(label="car", score=0.8, box=box(x, 50), track=track)


def plate_read(text: str, track: int = 0) -> dict[str, tuple[object, ...]]:
    return {
        "plates": (inference.Plate(text=text, confidence=0.9, box=box(10, 60), track=track),),
        "events": (
            inference.EmittedEvent(event_id="e", subject="inference.v1.plate_read", track=track),
        ),
    }


def test_json_keeps_its_shape_and_a_match_stands_for_a_candidate_alone() -> None:
    result = frame(0, objects=(car(5, track=3),), **plate_read("453DXA02"))  # type: ignore[arg-type]
    result.faces.add(box=box(1, 2), verdict=inference.FACE_VERDICT_NO_MATCH)
    result.faces.add(box=box(3, 4), verdict=inference.FACE_VERDICT_CANDIDATE, candidate_id="c-1")
    told = as_json_of(result)
    assert told["plates"][0]["text"] == "453DXA02"
    assert told["plates"][0]["box"] == [10.0, 60.0, 40.0, 20.0]
    assert told["objects"] == [
        {"label": "car", "score": 0.8, "box": [5.0, 50.0, 40.0, 20.0], "track": 3}
    ]
    assert [face["match"] for face in told["faces"]] == [None, {"candidate_id": "c-1"}]
    assert told["events"][0]["subject"] == "inference.v1.plate_read"
    assert told["events"][0]["box"] is None


def test_a_thing_with_a_track_counts_once_and_a_film_tells_plates_that_have_left() -> None:
    summary = Summary()
    guess = inference.Plate(text="4S3DXA02", confidence=0.3, box=box(1, 1))
    for seconds in range(3):
        summary.take(FILM, frame(seconds, objects=(car(seconds, 1), car(90, 2)), plates=(guess,)))
    summary.take(FILM, frame(2, **plate_read("453DXA02", 1)))  # type: ignore[arg-type]
    seen = summary.of(FILM)
    assert (seen.frames, dict(seen.objects), list(seen.plates)) == (3, {"car": 2}, ["453DXA02"])
    assert seen.events == {"plate read": 1}


def test_without_tracks_the_most_at_once_is_told() -> None:
    summary = Summary()
    summary.take(FILM, frame(0, objects=(car(0), car(90))))
    summary.take(FILM, frame(1, objects=(car(10),)))
    assert summary.of(FILM).objects == {"car": 2}


def test_a_picture_tells_what_it_shows() -> None:
    summary = Summary()
    summary.take(PICTURE, frame(0, plates=(inference.Plate(text="A", confidence=0.2),)))
    assert summary.of(PICTURE).plates == {"A": pytest.approx(0.2)}


def test_an_event_is_named_by_what_happened_and_its_rule() -> None:
    event = inference.EmittedEvent(subject="inference.v1.zone_crossed", what="entered", rule="gate")
    assert kind_of(event) == "zone crossed: entered (gate)"


def test_between_two_looks_a_box_is_on_its_way() -> None:
    looks = Looks.of([frame(0, objects=(car(0, 1),)), frame(1, objects=(car(100, 1),))])
    assert [mark.box[0] for mark in looks.at(0.25)] == [pytest.approx(25)]
    assert [mark.box[0] for mark in looks.at(1.0)] == [pytest.approx(100)]
    assert looks.at(5.0) == []


def test_without_a_track_the_nearest_alike_is_its_next_place() -> None:
    looks = Looks.of([frame(0, objects=(car(0), car(300))), frame(1, objects=(car(20),))])
    assert sorted(mark.box[0] for mark in looks.at(0.25)) == [pytest.approx(5), 300]
    assert [mark.box[0] for mark in looks.at(0.75)] == [pytest.approx(15)]


def test_a_track_keeps_its_number_when_it_is_taken_for_something_else() -> None:
    truck = inference.SeenObject(label="truck", score=0.6, box=box(100, 50), track=1)
    looks = Looks.of([frame(0, objects=(car(0, 1),)), frame(1, objects=(truck,))])
    assert len(looks.at(0.5)) == 1


def test_where_it_happened_is_shown_shorter_than_what_happened() -> None:
    event = inference.EmittedEvent(
        event_id="e", subject="inference.v1.zone_crossed", what="entered", box=box(1, 2)
    )
    looks = Looks.of([frame(0, objects=(car(0, 1),), events=(event,))])
    assert looks.captions_at(0.1)[0].box is not None
    assert looks.captions_at(1.5)[0].box is None


def test_a_caption_stays_two_seconds_from_when_it_happened() -> None:
    looks = Looks.of([frame(0, objects=(car(0, 1),)), frame(4, **plate_read("453DXA02", 1))])  # type: ignore[arg-type]
    assert looks.captions_at(3.9) == []
    assert "453DXA02" in looks.captions_at(4.0)[0].text
    assert looks.captions_at(4.0 + CAPTION_SECONDS) == []


def test_labels_do_not_cover_each_other_and_leave_the_given_picture_alone() -> None:
    picture = np.full((600, 1000, 3), 90, np.uint8)
    marks = [Mark("car", (400.0, 300.0, 60.0, 40.0), (0, 0, 250), f"car {n}") for n in range(3)]
    filled = [
        int((draw(picture, marks[:count], []) == marks[0].colour).all(2).sum())
        for count in (1, 2, 3)
    ]
    assert (picture == 90).all()
    label = filled[1] - filled[0]
    assert label > 300
    assert filled[2] - filled[1] == pytest.approx(label, rel=0.1)


def test_a_small_picture_is_enlarged_with_its_boxes() -> None:
    picture, scale = enlarged(np.zeros((240, 320, 3), np.uint8))
    assert picture.shape == (720, 960, 3)
    assert scale == 3.0


def test_a_copy_of_a_film_has_all_its_frames_with_what_was_seen_between(tmp_path: Path) -> None:
    film = tmp_path / "film.avi"
    with av.open(str(film), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 321, 241, "yuvj420p"
        for _ in range(20):
            grey = np.full((241, 321, 3), 128, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        out.mux(stream.encode())
    (tmp_path / "drawn").mkdir()
    copies, shares = Copies(tmp_path / "drawn"), list[float]()
    results = [frame(0, objects=(car(0, 1),)), frame(1, objects=(car(200, 1),))]
    path = copies.draw(Source("film.avi", film), results, shares.append)
    assert path.name == "film.mp4"
    assert copies.draw(Source("film.avi", film), results, shares.append).name == "film-2.mp4"
    with av.open(str(path)) as copy:
        assert copy.streams.video[0].codec_context.name == "h264"
        pictures = [shown.to_ndarray(format="bgr24") for shown in copy.decode(video=0)]
    assert len(pictures) == 20
    assert pictures[0].shape[1] == 960
    # Half way between two looks the box is half way: its upper edge crosses the middle there.
    changed = cv2.absdiff(pictures[5], np.full_like(pictures[5], 128)).max(2) > 40
    across = np.nonzero(changed.any(0))[0]
    assert 280 < across.min() < 320
    assert shares[-1] == pytest.approx(1.0, abs=0.1)


def test_an_address_is_shown_without_its_password() -> None:
    source = sources_of(["rtsp://operator:secret@camera.example:554/main"])[0]
    assert source.is_stream
    assert source.shown == "rtsp://camera.example:554/main"


def test_nothing_behind_any_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no pictures in"):
        sources_of([str(tmp_path)])


def test_a_copy_never_takes_the_place_of_its_original(tmp_path: Path) -> None:
    original = tmp_path / "street.jpg"
    original.write_bytes(b"as it was")
    for given, folder in ((str(tmp_path), tmp_path), (str(original), tmp_path / ".")):
        ran = CliRunner().invoke(
            whole_app(),
            ["ingest", given, "--camera", "c", "--draw", str(folder)],
            catch_exceptions=True,
        )
        assert isinstance(ran.exception, Failure) and "a folder of its own" in str(ran.exception)
    assert original.read_bytes() == b"as it was"


def test_pictures_of_one_device_go_in_the_order_it_counted_them(tmp_path: Path) -> None:
    def signed(counter: int) -> dict[str, object]:
        return {
            "counter": counter,
            "device_serial": "D-1",
            "signature": "c2lnbmVk",
            "device_time": "2026-11-20T10:00:00Z",
            "frame_sha256": "00" * 32,
        }

    told = tmp_path / "readings.json"
    told.write_text(json.dumps({"a.jpg": signed(9), "b.jpg": signed(7), "c.jpg": signed(8)}))
    sources = [Source(name, Path(name)) for name in ("a.jpg", "b.jpg", "c.jpg")]
    ordered = SourceReadings.read(told).in_order(sources)
    assert [source.name for source in ordered] == ["b.jpg", "c.jpg", "a.jpg"]

    told.write_text(json.dumps({"a.jpg": signed(9), "b.jpg": {"counter": 1}}))
    with pytest.raises(Failure, match=r"b\.jpg"):
        SourceReadings.read(told).in_order(sources)


def test_the_table_names_an_address_without_its_password() -> None:
    summary = Summary()
    summary.take(Source("rtsp://user:secret@camera:554", None), frame(0))
    with console.capture() as printed:
        summary.show(None)
    assert "secret" not in printed.get() and "camera:554" in printed.get()
