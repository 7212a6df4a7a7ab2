"""Vehicles: what moves is found, counted once and its speed told with its uncertainty."""

import numpy as np
import pytest
from vision.boxes import Box
from vision.objects import DetectedObject
from vision.tracking.tracker import REMEMBERED_PLACES, Tracker
from vision.vehicles import (
    COUNTED_KEPT_SECONDS,
    MOVING,
    MovingObjects,
    Road,
    VehicleCounter,
    joined,
)
from vision.zones.shapes import (
    FrameSize,
    Line,
    PlaceUnusable,
    Point,
)

FRAME = FrameSize(480, 270)
MIDDLE = Line("middle", Point(0.5, 1), Point(0.5, 0))
SQUARE = (Point(0, 0), Point(1, 0), Point(1, 1), Point(0, 1))
METRES = ((0.0, 0.0), (48.0, 0.0), (48.0, 27.0), (0.0, 27.0))


def road(*, car_at: float | None) -> np.ndarray:
    picture = np.random.default_rng(5).normal(110, 2, (270, 480, 3))
    if car_at is not None and 0 <= car_at <= 420:
        picture[120:150, int(car_at) : int(car_at) + 60] = 220
    return picture.astype(np.uint8)


def test_car_that_no_detector_knows_is_counted_by_its_movement() -> None:
    moving, tracks = MovingObjects(frames_per_second=10), Tracker()
    counter = VehicleCounter(MIDDLE, FRAME)
    for step in range(70):
        car = (step - 20) * 10.0 if step >= 20 else None
        seen = joined([], moving.add(road(car_at=car)))
        counter.add(tracks.add(seen, at=step / 10), at=step / 10)
    assert dict(counter.forward) == {MOVING: 1}
    assert not counter.backward


def test_recognised_vehicle_hides_its_own_movement() -> None:
    car = DetectedObject("car", 0.8, Box(100, 100, 60, 40))
    both = [
        DetectedObject(MOVING, 0.5, Box(105, 98, 50, 44)),
        DetectedObject(MOVING, 0.5, Box(300, 9, 9, 9)),
    ]
    person = DetectedObject("person", 0.9, Box(0, 0, 10, 30))
    assert joined([car, person], both) == [car, both[1]]


def counted(xs: list[float]) -> VehicleCounter:
    tracks, counter = Tracker(), VehicleCounter(MIDDLE, FRAME)
    for step, x in enumerate(xs):
        seen = [DetectedObject("car", 0.9, Box(x, 100, 40, 30))]
        counter.add(tracks.add(seen, at=step / 10), at=step / 10)
    return counter


def test_car_is_counted_by_direction() -> None:
    there = [100 + 10.0 * step for step in range(25)]
    assert counted(there).forward == {"car": 1}
    assert counted(there[::-1]).backward == {"car": 1}


def test_vehicles_that_have_long_left_are_forgotten() -> None:
    tracks, counter = Tracker(), VehicleCounter(MIDDLE, FRAME)
    for car in range(40):
        for step in range(25):
            at = 60.0 * car + step / 10
            seen = [DetectedObject("car", 0.9, Box(100 + 10.0 * step, 100, 40, 30))]
            counter.add(tracks.add(seen, at=at), at=at)
    assert counter.forward == {"car": 40}
    assert len(counter._counted) <= COUNTED_KEPT_SECONDS / 60 + 1


def test_a_car_that_stood_there_for_long_is_counted_no_second_time() -> None:
    there = [100 + 10.0 * step for step in range(25)]
    # Longer than what has left is remembered; and until its way back is no part of its track.
    long, longer = REMEMBERED_PLACES + 10, round(COUNTED_KEPT_SECONDS / 0.5) + 10
    xs = [*there, *there[-1:] * longer, *there[::-1], *there[:1] * long, *there]
    tracks, counter = Tracker(), VehicleCounter(MIDDLE, FRAME)
    for step, x in enumerate(xs):
        seen = [DetectedObject("car", 0.9, Box(x, 100, 40, 30))]
        counter.add(tracks.add(seen, at=step / 2), at=step / 2)
    assert (counter.forward, counter.backward) == ({"car": 1}, {"car": 1})


def test_what_trembles_on_the_line_is_not_counted() -> None:
    counter = counted([218, 223, 217, 224, 216, 225] * 5)
    assert not counter.forward
    assert not counter.backward


def test_speed_has_the_truth_within_its_uncertainty() -> None:
    tracks = Tracker()
    noise = np.random.default_rng(1).normal(0, 0.5, 30)
    for step in range(30):  # 10 pixels a frame are 1 m in 0.1 s: 36 km/h
        box = Box(10 * step + float(noise[step]), 100, 40, 30)
        told = tracks.add([DetectedObject("car", 0.9, box)], at=step / 10)
    speed = Road(SQUARE, METRES, FRAME).speed(told[0])
    assert speed is not None
    assert abs(speed.kmh - 36) <= speed.uncertainty_kmh < 6


def test_calibration_along_one_line_is_refused() -> None:
    with pytest.raises(PlaceUnusable):
        Road((Point(0, 0), Point(0.3, 0.3), Point(0.6, 0.6), Point(1, 0)), METRES, FRAME)
    with pytest.raises(PlaceUnusable):
        Road(SQUARE[:3], METRES[:3], FRAME)
