"""Truth files are understood whatever their words; shares and the document keep their rules."""

from pathlib import Path

import numpy as np
import pytest
from accuracy.left_objects import Alarm, bag_of, in_order
from accuracy.page import Page
from accuracy.people import Marked, Tall, Told, compare, mot_truth, number_of_people
from accuracy.plates import truth
from accuracy.shares import Share
from accuracy.vehicles import traffic_of
from vision.background.left_objects import LeftObjectFact, Stage
from vision.boxes import Box
from vision.objects import DetectedObject


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("16-20 people (read by eye)", Told(16, 20)),
        ("0 people (dog) (read by eye)", Told(0, 0)),
        ("1 person, 4-5 buses/cars (read by eye)", Told(1, 1)),
        ("4 people (2 full, 2 cut at the edges), 1 bus", Told(4, 4)),
        ("4 clear people (1 walking, 1 couple, 1 cyclist) + 8 or more far", Told(12, None)),
        ("7 to 9 pedestrians", Told(7, 9)),
        ("no bus", None),
        ("", None),
    ],
)
def test_a_sentence_tells_how_many_people(sentence: str, told: Told | None) -> None:
    assert number_of_people(sentence) == told


def test_an_open_range_has_no_upper_end() -> None:
    told = Told(12, None)
    assert (told.middle, told.outside(19), told.outside(10)) == (12, 0, 2)


def test_a_tall_box_is_right_or_wrong_and_a_statue_is_overlooked() -> None:
    marked = [
        Marked(Box(0, 0, 80, 200), True, 1.0, False),
        Marked(Box(300, 0, 80, 200), True, 0.1, False),
        Marked(Box(600, 0, 80, 200), False, 1.0, True),
    ]
    boxes = [Box(2, 2, 80, 200), Box(600, 0, 80, 200), Box(900, 0, 80, 200)]
    tall = Tall()
    missed, wrong = compare([DetectedObject("person", 0.9, box) for box in boxes], marked, tall)
    assert (missed, wrong) == ([], [boxes[2]])
    assert (tall.found, tall.visible_found) == (Share(1, 2), Share(1, 1))
    assert tall.claims_right == Share(1, 2)


def test_marks_without_all_columns_are_read(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("1,1,10,20,30,40\n1,2,10,20,30,40,0,7,1.0\n\n")
    first, second = mot_truth(tmp_path / "gt.txt")[1]
    assert (first.counts, second.counts, second.overlooked) == (True, False, True)


def test_a_bag_is_read_from_the_truth_whatever_its_box_is_called() -> None:
    told = {"fps": 20, "owner_walks_away_frame": 100, "owner_out_of_view_frame": 140}
    for name in ("bag_box_xywh", "bag_box_xywh_at_rest"):
        bag = bag_of({**told, name: [1, 2, 3, 4]}, 30.0)
        assert bag is not None
        assert (bag.box, bag.away, bag.gone, bag.to_spare) == (Box(1, 2, 3, 4), 5, 7, 0.5)
    assert bag_of({"expected": "no alarm"}, 30.0) is None


@pytest.mark.parametrize(
    ("seconds", "good"), [((9.0,), False), ((12.0,), True), ((40.0,), False), ((12.0, 13.0), False)]
)
def test_one_alarm_at_its_time_is_in_order(seconds: tuple[float, ...], good: bool) -> None:
    bag = bag_of({"fps": 10, "owner_walks_away_frame": 110, "bag_box_xywh": [0, 0, 9, 9]}, 1.0)
    assert bag is not None
    picture = np.zeros((9, 9, 3), np.uint8)
    alarms = [
        Alarm(LeftObjectFact(Stage.LEFT, 1, at, Box(0, 0, 9, 9), 0, 4, 1), picture)
        for at in seconds
    ]
    assert in_order(alarms, bag) is good


def test_traffic_is_read_from_the_truth() -> None:
    up = traffic_of(
        {
            "direction": "bottom to top",
            "line": "y=0.5 of height, x from 0 to 0.6",
            "count": 44,
            "wrong_way": 0,
        }
    )
    assert up is not None
    assert (up.forward, up.backward) == (44, 0)
    assert up.line.start.x == pytest.approx(0.8)
    assert (up.line.end.x, up.line.start.y) == (0, 0.5)
    right = traffic_of({"direction": "left to right", "vehicles": [{}, {}], "tolerance_frames": 6})
    assert right is not None
    assert (right.forward, right.line.start.x) == (2, 0.5)
    either = traffic_of({"cars": 1, "cyclists": 1})
    assert either is not None
    assert (either.forward, either.backward) == (1, None)
    assert traffic_of({"fps": 12}) is None


@pytest.mark.parametrize("way", [("left", "right"), ("right", "left"), ("top", "bottom")])
def test_forward_is_the_way_that_the_truth_names(way: tuple[str, str]) -> None:
    traffic = traffic_of({"direction": f"{way[0]} to {way[1]}", "count": 3})
    ends = {"left": (0.1, 0.5), "right": (0.9, 0.5), "top": (0.5, 0.1), "bottom": (0.5, 0.9)}
    assert traffic is not None
    point = type(traffic.line.start)
    assert traffic.line.side(point(*ends[way[1]])) > 0 > traffic.line.side(point(*ends[way[0]]))


def test_plates_without_columns_or_texts_are_read(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text(
        "file,country,plate_text,lines,box_xywh\na.jpg,KZ,005 AAA-01|1,1,1 2 30 4\nb.jpg,,,0,\n"
    )
    first, second = truth(tmp_path)
    assert (first.texts, first.width) == (frozenset({"005AAA01", "1"}), 30)
    assert (second.texts, second.width, second.country) == (frozenset(), None, "-")
    assert truth(tmp_path / "away") == []


def test_a_share_knows_how_sure_it_is() -> None:
    least, most = Share(344, 346).interval
    assert (round(least, 3), round(most, 4)) == (0.979, 0.9984)
    least, most = Share(20, 20).interval
    assert (round(least, 4), most) == (0.8389, 1.0)
    assert str(Share()) == "none to count"
    assert Share(1, 2) + Share(2, 2) == Share(3, 4)


def test_a_run_of_one_part_leaves_the_others_in_the_document(tmp_path: Path) -> None:
    document = tmp_path / "ACCURACY.md"
    for part in ("first", "second", "first"):
        page = Page(("first", "second"), tmp_path / "failures")
        page.start(part)
        page.say(f"about {part}")
        page.failed("a/b", np.zeros((40, 40, 3), np.uint8), "was <wrong>", [Box(1, 1, 5, 5)])
        page.write(document)
    text = document.read_text()
    assert text.index("about first") < text.index("about second")
    assert text.count("about first") == 1
    sheet = (tmp_path / "failures/index.html").read_text()
    assert sheet.count("<figure>") == 2
    assert "was &lt;wrong&gt;" in sheet
