"""Geometry and judgement of faces: what the detector says comes back in the picture's pixels."""

import asyncio
from dataclasses import replace

import cv2
import numpy as np
import pytest
from vision.arrays import Floats
from vision.boxes import Box
from vision.faces import recognition
from vision.faces.detector import FaceDetector, forget
from vision.faces.recognition import (
    DetectedFace,
    Face,
    Likeness,
    Quality,
    Usable,
)

BOX = Box(300, 120, 88, 110)
POINTS = np.array([[324, 166], [364, 166], [344, 188], [327, 206], [361, 206]], np.float32)
GOOD = Quality(eye_pixels=80, sharpness=0.3, turn=0.1, brightness=128, contrast=50)


def picture(height: int = 480, width: int = 640) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 255, (height // 4, width // 4, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def face(quality: Quality = GOOD) -> Face:
    return Face(BOX, POINTS, 0.9, quality)


def cells_for(
    box: Box, points: Floats, look: recognition.ScaledPicture, score: float = 0.9
) -> np.ndarray:
    """What a perfect detector would answer for one face."""
    _, height, width, _ = look.image.shape
    cells = np.zeros((15, height // 4, width // 4), np.float32)
    scale = np.array(look.scale)
    corner, size = np.array([box.x, box.y]) * scale, np.array([box.width, box.height]) * scale
    middle = (corner + size / 2) / 4
    column, row = (int(value) for value in middle)
    cells[0, row, column] = score
    cells[1:3, row, column] = np.log(size[::-1] / 4)
    cells[3:5, row, column] = middle[::-1] - [row + 0.5, column + 0.5]
    cells[5:, row, column] = ((points * scale - corner) / size)[:, ::-1].ravel()
    return cells


@pytest.mark.parametrize("side", [320, 640, 960])
def test_a_face_comes_back_in_the_pictures_pixels(side: int) -> None:
    look = recognition.for_detector(picture(), side=side)
    assert all(length % 32 == 0 for length in look.image.shape[1:3])
    (found,) = recognition.detected_faces(cells_for(BOX, POINTS, look), look)
    assert found.box.iou(BOX) > 0.99
    assert np.allclose(found.landmarks, POINTS, atol=0.1)
    assert round(found.score, 2) == 0.9


def test_looks_that_find_the_same_face_tell_it_once() -> None:
    other = DetectedFace(Box(20, 20, 40, 50), POINTS, 0.6)
    weak = DetectedFace(Box(302, 121, 88, 110), POINTS, 0.7)
    strong = DetectedFace(BOX, POINTS, 0.9)
    assert recognition.distinct([[weak], [strong, other]]) == [strong, other]


def test_a_small_face_is_looked_at_again_more_closely() -> None:
    rough = DetectedFace(Box(310, 130, 80, 80), POINTS + np.float32(5), 0.6)
    large = DetectedFace(Box(0, 0, 200, 240), POINTS, 0.8)
    close = recognition.windows(picture(), [rough, large])
    assert close is not None
    assert (close.places, close.images.shape) == ((0,), (1, 160, 160, 3))
    look = recognition.ScaledPicture(close.images, (close.scales[0],) * 2)
    left, top = close.origins[0]
    inside = Box(BOX.x - left, BOX.y - top, BOX.width, BOX.height)
    cells = cells_for(inside, POINTS - np.array([left, top], np.float32), look)
    again = recognition.refined(cells[None], close, [rough, large])
    assert np.allclose(again[0].landmarks, POINTS, atol=0.2)
    assert large in again


def test_a_face_that_is_not_seen_again_stays_as_it_was() -> None:
    rough = DetectedFace(Box(310, 130, 80, 80), POINTS, 0.6)
    close = recognition.windows(picture(), [rough])
    assert close is not None
    assert recognition.refined(np.zeros((1, 15, 40, 40), np.float32), close, [rough]) == [rough]


def test_faces_seen_large_need_no_windows() -> None:
    assert recognition.windows(picture(), [DetectedFace(Box(0, 0, 200, 240), POINTS, 0.8)]) is None


def test_no_heat_no_face() -> None:
    look = recognition.for_detector(picture(), side=640)
    assert recognition.detected_faces(np.zeros((15, 120, 160), np.float32), look) == []


def test_an_absurd_size_is_no_error() -> None:
    look = recognition.for_detector(picture(), side=640)
    cells = cells_for(BOX, POINTS, look)
    cells[1:3] = 500.0
    assert len(recognition.detected_faces(cells, look)) == 1


@pytest.mark.parametrize("turned", [0.0, 0.4, -1.2])
@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_a_similarity_is_found_again(turned: float, scale: float) -> None:
    way = scale * np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    moved = POINTS @ way.T + [30, -20]
    found = recognition.similarity(POINTS, moved.astype(np.float32))
    assert np.allclose(found, np.column_stack([way, [30, -20]]), atol=1e-2)


def test_a_chip_shows_the_face_upright_wherever_it_is() -> None:
    straight = recognition.chip(picture(), POINTS)
    turned = cv2.rotate(picture(), cv2.ROTATE_90_CLOCKWISE).astype(np.uint8)
    points = np.column_stack([479 - POINTS[:, 1], POINTS[:, 0]]).astype(np.float32)
    again = recognition.chip(turned, points)
    assert straight.shape == (150, 150, 3)
    assert np.abs(straight.astype(int) - again.astype(int)).mean() < 6


def test_a_large_face_is_shrunk_by_area() -> None:
    checks = (np.indices((1200, 1600)).sum(0) % 2 * 255).astype(np.uint8)
    shown = recognition.chip(np.repeat(checks[..., None], 3, 2), POINTS * 2.4)
    assert shown[40:110, 40:110].std() < 20  # grey, and no pattern that was not there


def test_points_in_one_place_are_no_error() -> None:
    assert recognition.chip(picture(), np.zeros((5, 2), np.float32)).shape == (150, 150, 3)


def test_quality_knows_size_blur_and_turn() -> None:
    sharp = recognition.with_quality(picture(), DetectedFace(BOX, POINTS, 0.9)).quality
    blurred = cv2.GaussianBlur(picture(), (0, 0), 6).astype(np.uint8)
    smeared = recognition.with_quality(blurred, DetectedFace(BOX, POINTS, 0.9)).quality
    aside = POINTS.copy()
    aside[2, 0] = 362
    turned = recognition.with_quality(picture(), DetectedFace(BOX, aside, 0.9)).quality
    assert sharp.eye_pixels == 40
    assert smeared.sharpness < 0.6 * sharp.sharpness
    assert sharp.turn < 0.2
    assert turned.turn > 0.8


@pytest.mark.parametrize(
    ("flaw", "verdict"),
    [
        ({"eye_pixels": 10.0}, Usable.TOO_SMALL),
        ({"turn": 1.2}, Usable.TURNED_AWAY),
        ({"sharpness": 0.0}, Usable.TOO_BLURRED),
        ({"brightness": 5.0}, Usable.BADLY_LIT),
        ({"contrast": 3.0}, Usable.BADLY_LIT),
        ({}, Usable.YES),
    ],
)
def test_what_a_face_lacks_has_a_name(flaw: dict[str, float], verdict: Usable) -> None:
    seen = face(replace(GOOD, **flaw))
    assert seen.for_search is verdict
    assert seen.for_enrolment is verdict


def test_enrolment_asks_for_more_than_a_search() -> None:
    small = face(replace(GOOD, eye_pixels=24))
    assert (small.for_enrolment, small.for_search) == (Usable.TOO_SMALL, Usable.YES)


@pytest.mark.parametrize(
    ("apart", "likeness"),
    [
        (0.3, Likeness.MATCH),
        (0.55, Likeness.UNKNOWN),
        (0.6, Likeness.OTHER),
        (1.2, Likeness.OTHER),
    ],
)
def test_likeness_has_a_band_of_not_knowing(apart: float, likeness: Likeness) -> None:
    assert recognition.likeness(apart, face()) is likeness


@pytest.mark.parametrize("apart", [0.1, 0.55, 0.7])
def test_a_poor_face_is_never_known(apart: float) -> None:
    blurred = face(replace(GOOD, sharpness=0.0))
    assert recognition.likeness(apart, blurred) is Likeness.UNKNOWN


class Scripted:
    """Answers like the two models and keeps count of the requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[int, ...]]] = []

    async def run(self, model: str, images: np.ndarray, *, seconds: float) -> Floats:
        self.asked.append((model, images.shape))
        if model == "face_embedder":
            return np.arange(len(images) * 128, dtype=np.float32).reshape(-1, 128)
        count, rows, columns, _ = images.shape
        if rows == 160:
            return np.zeros((count, 15, 40, 40), np.float32)
        scale = max(rows, columns) / 640
        look = recognition.ScaledPicture(images, (scale, scale))
        return cells_for(BOX, POINTS, look)[None]


def test_all_chips_of_a_picture_are_one_request() -> None:
    models = Scripted()
    looker = FaceDetector(models)
    (seen,) = asyncio.run(looker.detect(picture()))
    models.asked.clear()
    templates = asyncio.run(looker.templates(picture(), [seen, seen, seen]))
    assert models.asked == [("face_embedder", (3, 150, 150, 3))]
    assert templates.shape == (3, 128)
    assert templates.dtype == np.float32


def test_templates_can_be_forgotten() -> None:
    templates = asyncio.run(FaceDetector(Scripted()).templates(picture(), [face()]))
    forget(templates)
    assert not templates.any()


def test_no_face_no_request() -> None:
    models = Scripted()
    assert asyncio.run(FaceDetector(models).templates(picture(), [])).shape == (0, 128)
    assert models.asked == []
