"""What a mosaic covers cannot be seen again: little is left of it, whatever it was."""

from itertools import pairwise

import numpy as np
import pytest
from vision.boxes import Box
from vision.mosaic import CELL_PIXELS, CELLS_MAX, SHADE, covered, obscure

HEIGHT, WIDTH = 240, 320
FACE, PLATE = Box(100, 60, 60, 80), Box(200, 150, 100, 22)
AT_THE_EDGE, OUTSIDE, TINY = Box(-20, -10, 60, 60), Box(500, 20, 40, 40), Box(40.3, 30.6, 1, 1)


def noise(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def inside(picture: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = covered(box, width=WIDTH, height=HEIGHT)
    return picture[top:bottom, left:right]


def cells_along(part: np.ndarray, axis: int) -> list[int]:
    """The lengths of the cells along an axis, by where colours change."""
    changes = np.any(np.diff(part.astype(int), axis=axis) != 0, axis=(1 - axis, 2))
    edges = [0, *(int(place) + 1 for place in np.flatnonzero(changes)), part.shape[axis]]
    return [after - before for before, after in pairwise(edges)]


@pytest.mark.parametrize("box", [FACE, PLATE, AT_THE_EDGE, TINY])
def test_a_box_becomes_few_cells_of_one_colour_each(box: Box) -> None:
    # Dark on the left and bright below, so that neighbours differ.
    slope = np.add.outer(np.linspace(0, 120, HEIGHT), np.linspace(0, 120, WIDTH))[..., None]
    picture = np.repeat(slope, 3, axis=2).astype(np.uint8)
    obscure(picture, [box])
    part = inside(picture, box)
    for axis in (0, 1):
        lengths = cells_along(part, axis)
        assert len(lengths) <= CELLS_MAX
        assert min(lengths) >= min(CELL_PIXELS, part.shape[axis])


def test_two_pictures_with_the_same_few_means_become_the_same_picture() -> None:
    """Nothing is left by which they could be told apart: what was there cannot be found again."""
    first = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    second = first.copy()
    second[70:130:2, 105:155:2] += 40  # lines that a reader would see
    second[71:131:2, 105:155:2] -= 36
    assert np.any(inside(first, FACE) != inside(second, FACE))
    for picture in (first, second):
        obscure(picture, [FACE])
    assert np.array_equal(first, second)


def test_shades_are_few_and_the_rest_of_the_picture_stays() -> None:
    picture = noise()
    before = picture.copy()
    obscure(picture, [FACE, OUTSIDE])
    assert set(np.unique(inside(picture, FACE) % SHADE)) == {SHADE // 2}
    left, top, right, bottom = covered(FACE, width=WIDTH, height=HEIGHT)
    is_outside = np.ones((HEIGHT, WIDTH), bool)
    is_outside[top:bottom, left:right] = False
    assert np.array_equal(picture[is_outside], before[is_outside])


def test_a_margin_covers_hair_and_ears_too() -> None:
    left, top, right, bottom = covered(FACE, width=WIDTH, height=HEIGHT)
    assert (left, top, right, bottom) == (80, 40, 180, 160)
    tiny = covered(TINY, width=WIDTH, height=HEIGHT)
    assert tiny[2] - tiny[0] > CELL_PIXELS
    clipped = covered(AT_THE_EDGE, width=WIDTH, height=HEIGHT)
    assert clipped[:2] == (0, 0)
