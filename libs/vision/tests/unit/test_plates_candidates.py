"""Geometry of the pipeline: what goes to the models comes back in the picture's own pixels."""

import cv2
import numpy as np
import pytest
from vision.boxes import Box, nms
from vision.objects import DetectedObject, for_objects, objects_of
from vision.plates.candidates import (
    PLATE_SIDES,
    PlateCandidate,
    for_plates,
    plate_candidates,
    refined,
    refining,
    vehicle_crops,
    whole_as_plate,
)
from vision.plates.views import (
    OBLIQUE,
    OBLIQUE_VIEWS,
    ONE_LINE_ASPECT,
    READER_HEIGHT,
    aspect,
    for_kazakh_reader,
    for_reader,
    rectified,
)
from vision.scaling import Scaled, shrunk

QUAD = np.array([[100, 60], [200, 64], [200, 88], [100, 84]], np.float32)


def picture(height: int = 240, width: int = 320) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)


def cells_for(quad: np.ndarray, scaled: Scaled, score: float = 0.9) -> np.ndarray:
    """What a perfect detector would answer for one plate in the first image."""
    _, height, width, _ = scaled.images.shape
    cells = np.zeros((1, 9, height // 8, width // 8), np.float32)
    inside = (quad - scaled.origins[0]) * scaled.scales[0] / 8
    column, row = (int(value) for value in inside.mean(0))
    cells[0, 0, row, column] = score
    cells[0, 1:, row, column] = (inside - [column + 0.5, row + 0.5]).ravel()
    return cells


@pytest.mark.parametrize("shape", [(240, 320), (700, 960), (1501, 2003), (20, 4000)])
@pytest.mark.parametrize("side", PLATE_SIDES)
def test_plate_corners_come_back_in_the_pictures_pixels(shape: tuple[int, int], side: int) -> None:
    shown = picture(*shape)
    scaled = for_plates(shown, shrunk(shown), side=side)
    assert min(scaled.images.shape[1:3]) >= 16 and max(scaled.images.shape[1:3]) == side
    corners = QUAD * (shape[1] / 320, shape[0] / 240)
    (found,) = plate_candidates(cells_for(corners, scaled), scaled)
    assert np.allclose(found.corners, corners, atol=0.02)


def test_small_sizes_of_a_large_picture_look_as_if_made_of_itself() -> None:
    noise = picture(1501, 2003)
    shown = cv2.GaussianBlur(noise, (0, 0), 8).astype(np.uint8)
    by_way = for_plates(shown, shrunk(shown), side=320).images.astype(float)
    itself = for_plates(shown, shown, side=320).images.astype(float)
    assert np.abs(by_way - itself).mean() < 0.5


def test_vehicle_crops_are_one_batch_with_their_origins() -> None:
    objects = [
        DetectedObject("car", 0.9, Box(50, 40, 200, 100)),
        DetectedObject("person", 0.9, Box(10, 10, 60, 120)),
        DetectedObject("truck", 0.5, Box(-20, 10, 90, 90)),
    ]
    scaled = vehicle_crops(picture(), objects)
    assert scaled is not None
    assert scaled.images.shape[0] == 2
    assert scaled.origins == ((50.0, 40.0), (0.0, 10.0))
    assert all(side % 16 == 0 for side in scaled.images.shape[1:3])
    (found,) = plate_candidates(
        np.concatenate([cells_for(QUAD, scaled), np.zeros_like(cells_for(QUAD, scaled))]), scaled
    )
    assert np.allclose(found.corners, QUAD, atol=0.01)


def test_no_vehicle_no_crops() -> None:
    assert vehicle_crops(picture(), []) is None
    tiny = [DetectedObject("car", 0.9, Box(5, 5, 20, 20))]
    assert vehicle_crops(picture(), tiny) is None


def test_second_look_corrects_the_corners() -> None:
    rough = PlateCandidate(QUAD + np.float32(6), 0.5)
    window = refining(picture(), [rough])
    (found,) = refined(cells_for(QUAD, window), window, [rough])
    assert np.allclose(found.corners, QUAD, atol=0.05)
    assert round(found.score, 2) == 0.7


def test_what_is_not_seen_again_is_let_go() -> None:
    rough = PlateCandidate(QUAD, 0.39)
    window = refining(picture(), [rough])
    empty = np.zeros((1, 9, 20, 32), np.float32)
    assert refined(empty, window, [rough]) == []
    (doubted,) = refined(empty, window, [PlateCandidate(QUAD, 0.9)])
    assert doubted.score == 0.45


def test_a_picture_no_larger_than_a_plate_is_taken_for_one() -> None:
    (whole,) = whole_as_plate(picture(42, 193))
    assert whole.box == Box(0, 0, 193, 42)
    assert whole_as_plate(picture(720, 1280)) == []
    assert whole_as_plate(picture(150, 90)) == []
    assert whole_as_plate(picture(16, 400)) == []


def test_objects_come_back_in_the_pictures_pixels() -> None:
    scaled = for_objects(picture(416, 832), picture(416, 832))
    rows, columns = scaled.images.shape[1] // 8, scaled.images.shape[2] // 8
    count = sum(
        (scaled.images.shape[1] // stride) * (scaled.images.shape[2] // stride)
        for stride in (8, 16, 32)
    )
    anchors = np.zeros((count, 6), np.float32)
    anchors[10 * columns + 20] = [20, 10, 30, 16, 0.9, 2]
    anchors[10 * columns + 21] = [28, 10, 22, 16, 0.5, 2]
    anchors[11 * columns + 20] = [20, 10, 30, 16, 0.9, 33]
    (car,) = objects_of(anchors, scaled)
    assert rows * 8 == scaled.images.shape[1]
    assert car.label == "car"
    assert car.box == Box((164 - 20) * 2, (84 - 10) * 2, 100, 52)


def test_rectified_plate_has_the_readers_height() -> None:
    flat = rectified(picture(), QUAD)
    assert flat.shape[0] == READER_HEIGHT
    assert 3.0 < flat.shape[1] / flat.shape[0] < 5.0
    batch = for_reader([flat, flat[:, :100]])
    assert batch.shape == (2, 48, 224, 3)
    assert (batch[1, :, 101:] == 127).all()
    assert for_kazakh_reader([flat]).shape == (1, 32, 160, 1)


def test_plate_seen_from_the_side_is_drawn_out_as_wide_as_it_is() -> None:
    pressed = np.array([[100, 100], [160, 120], [160, 160], [100, 140]], np.float32)
    assert aspect(pressed) < OBLIQUE
    plain = rectified(picture(), pressed)
    drawn = rectified(picture(), pressed, OBLIQUE_VIEWS[1])
    assert plain.shape[1] < 100
    assert drawn.shape[1] == int(READER_HEIGHT * ONE_LINE_ASPECT)
    assert for_reader([drawn]).shape[2] == 224


def test_corners_outside_of_the_picture_do_no_harm() -> None:
    outside = QUAD - np.float32(150)
    assert rectified(picture(), outside).shape[0] == 48
    assert rectified(picture(), np.zeros((4, 2), np.float32)).shape[0] == 48


def test_weaker_doubles_are_dropped() -> None:
    boxes = [Box(0, 0, 10, 10), Box(1, 1, 10, 10), Box(50, 0, 10, 10)]
    assert nms(boxes, [0.5, 0.9, 0.4], overlap=0.25) == [1, 2]


def test_box_is_cut_at_the_pictures_edge() -> None:
    assert Box(-5, 3, 20, 20).within(width=10, height=10) == Box(0, 3, 10, 7)
    assert Box(50, 50, 5, 5).within(width=10, height=10).width == 0
