"""A photograph is looked at in views that leave nothing out, and where a look cannot tell all of it
again."""

import asyncio

import numpy as np
import pytest
from vision.arrays import Floats, Picture
from vision.boxes import Box
from vision.bystanders import (
    DEPTH_MAX,
    LARGEST_SIDE,
    BystanderDetector,
    Bystanders,
    View,
    first_views,
    reduced,
)
from vision.detector import Labelled
from vision.faces.recognition import MOST_FACES, WINDOW_SIDE


class ModelsAway(Exception):
    pass


class Models:
    """Answers every picture with `faces` faces in a row, and no plate; `away` fails."""

    def __init__(self, *, faces: int = 0, away: str = "") -> None:
        self._faces, self._away = faces, away

    async def run(self, model: str, images: Picture, *, seconds: float) -> Floats:
        if model == self._away:
            raise ModelsAway
        count, height, width = images.shape[:3]
        if model == "object_detector":
            anchors = sum((height // step) * (width // step) for step in (8, 16, 32))
            return np.zeros((count, anchors, 6), np.float32)
        if model == "plate_detector":
            return np.zeros((count, 9, height // 8, width // 8), np.float32)
        cells = np.zeros((count, 15, height // 4, width // 4), np.float32)
        if width == WINDOW_SIDE:  # a second look at each face, which stays as it is
            return cells
        for number in range(self._faces):
            row, column = 4 * (number // 16) + 2, 4 * (number % 16) + 2
            cells[:, 0, row, column] = 0.9
            cells[:, 1:3, row, column] = np.log(3)
        return cells

    async def fingerprint(self) -> str:
        return ""

    async def object_models(self) -> dict[str, Labelled]:
        return {}


def picture(width: int, height: int) -> Picture:
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize(("width", "height"), [(1920, 1440), (961, 1919), (1600, 40)])
def test_views_cover_the_picture_and_overlap(width: int, height: int) -> None:
    whole, *parts = first_views(picture(width, height))
    assert whole.box == Box(0, 0, width, height) and len(parts) == 4
    covers = np.zeros((height, width), int)
    for view in parts:
        left, top = view.left, view.top
        tall, wide = view.picture.shape[:2]
        covers[top : top + tall, left : left + wide] += 1
    assert covers.min() == 1 and covers.max() == 4
    assert len(first_views(picture(640, 480))) == 1


def test_boxes_are_moved_to_where_the_view_begins_and_scaled_back() -> None:
    small, factor = reduced(picture(4 * LARGEST_SIDE, LARGEST_SIDE))
    assert max(small.shape[:2]) == LARGEST_SIDE and factor == 0.25
    view = View(small[100:300, 500:900], 500, 100)
    found, more = asyncio.run(BystanderDetector(Models(faces=1)).look(view))
    assert more == [] and found.faces and found.plates == ()
    alone, _ = asyncio.run(BystanderDetector(Models(faces=1)).look(View(view.picture)))
    for here, there in zip(alone.faces, found.scaled(1 / factor).faces, strict=True):
        assert there.x == pytest.approx((here.x + 500) * 4)
        assert there.y == pytest.approx((here.y + 100) * 4)
        assert there.width == pytest.approx(here.width * 4)


def test_a_view_with_as_many_faces_as_a_look_tells_is_divided_and_then_covered() -> None:
    detector = BystanderDetector(Models(faces=2 * MOST_FACES))
    found, views, looked = Bystanders(), [View(picture(640, 640))], 0
    while views:
        seen, more = asyncio.run(detector.look(views.pop()))
        found, views, looked = found + seen, [*views, *more], looked + 1
    assert looked == sum(4**depth for depth in range(DEPTH_MAX + 1))
    assert Box(0, 0, 640, 640) not in found.faces, "what was divided is looked at in parts"
    smallest = np.ceil(np.ceil(640 * 0.6) * 0.6)
    assert len([box for box in found.faces if box.width == smallest]) == 4**DEPTH_MAX


@pytest.mark.parametrize("away", ["face_detector", "plate_detector", "object_detector"])
def test_a_model_that_is_away_is_never_an_empty_answer(away: str) -> None:
    detector = BystanderDetector(Models(away=away))
    with pytest.raises((ModelsAway, ExceptionGroup)):
        asyncio.run(detector.look(View(picture(320, 240))))
