"""Tracks: the same thing keeps its number, another one never gets it."""

from vision.boxes import Box
from vision.objects import DetectedObject
from vision.tracking.tracker import Tracker


def seen(x: float, y: float = 50, score: float = 0.8, label: str = "car") -> DetectedObject:
    return DetectedObject(label, score, Box(x, y, 40, 20))


def test_trail_is_told_of_once_it_was_seen_often_enough() -> None:
    tracks = Tracker()
    assert tracks.add([seen(0)], at=0.0) == []
    assert tracks.add([seen(5)], at=0.1) == []
    (track,) = tracks.add([seen(10)], at=0.2)
    assert (track.sightings, track.label) == (3, "car")


def test_two_that_pass_each_other_keep_their_numbers() -> None:
    tracks = Tracker()
    for step in range(21):
        told = tracks.add([seen(10 * step), seen(200 - 10 * step, 62)], at=step / 10)
    there, back = sorted(told, key=lambda track: track.number)
    assert (there.box.x, back.box.x) == (200, 0)


def test_faint_box_continues_a_trail_and_starts_none() -> None:
    tracks = Tracker()
    for step in range(4):
        tracks.add([seen(5 * step)], at=step / 10)
    (track,) = tracks.add([seen(20, score=0.31), seen(500, score=0.31)], at=0.4)
    assert track.sightings == 5


def test_gap_is_bridged_by_speed_and_a_long_one_ends_the_trail() -> None:
    tracks = Tracker()
    for step in range(4):
        tracks.add([seen(20 * step)], at=step / 10)
    (track,) = tracks.add([seen(160)], at=0.8)
    assert track.number == 1
    assert tracks.add([seen(300)], at=3.0) == []


def test_label_is_what_it_was_called_most() -> None:
    tracks = Tracker()
    for step, label in enumerate(["truck", "car", "car"]):
        told = tracks.add([seen(step, label=label)], at=step / 10)
    assert told[0].label == "car"
