"""What training looks at, without torch: the same for the same seed, with a fitting truth."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tartip_scenes.forms import FORMS, PlateKind
from tartip_scenes.lettering import FONTS, HELD_OUT_FONTS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))

import bodies
import compose
import crops
import lines


@pytest.fixture(scope="module")
def garage() -> bodies.Garage:
    return bodies.Garage.drawn(np.random.default_rng(1), each=1)


def street() -> np.ndarray:
    return np.random.default_rng(3).integers(60, 160, (300, 400, 3), np.uint8)


def test_same_seed_composes_the_same_picture(garage: bodies.Garage) -> None:
    first, again = (compose.compose(np.random.default_rng(8), [street()], garage) for _ in range(2))
    assert np.array_equal(first.picture, again.picture)
    assert all(np.array_equal(a, b) for a, b in zip(first.plates, again.plates, strict=True))


def test_plates_stand_in_the_picture_and_run_clockwise(garage: bodies.Garage) -> None:
    rng = np.random.default_rng(4)
    samples = [compose.compose(rng, [street()], garage, HELD_OUT_FONTS) for _ in range(30)]
    plates = [plate for sample in samples for plate in sample.plates]
    assert len(plates) >= 15
    for plate in plates:
        middle, (across, down) = plate.mean(0), (plate[1] - plate[0], plate[3] - plate[0])
        assert (middle > 0).all() and (middle < compose.SIDE).all()
        assert across[0] * down[1] - across[1] * down[0] > 0
        assert np.linalg.norm(across) < 1.2 * compose.SIDE


def test_crops_bear_lines_that_the_reader_can_say() -> None:
    rng = np.random.default_rng(5)
    drawn = [crops.crop(rng, FONTS) for _ in range(60)]
    for one in drawn:
        assert one.picture.shape == (lines.HEIGHT, lines.WIDTH, 1)
        assert lines.written(lines.encoded(one.text)) == one.text
    kinds = {one.kind for one in drawn}
    assert {kind for kind in kinds if FORMS[kind].rows} and PlateKind.PERSON in kinds
    assert kinds & set(crops.FOREIGN_KINDS)


def test_a_row_is_a_line_of_its_own() -> None:
    rng = np.random.default_rng(6)
    rows = [one for _ in range(120) if FORMS[(one := crops.crop(rng, FONTS)).kind].rows]
    assert {len(one.text) for one in rows} <= {2, 3, 4, 5}
    assert {one.text.isdigit() for one in rows} == {True, False}


def test_columns_are_read_as_text() -> None:
    shown = [0, 1, 1, 0, 1, 11, 11, 0]
    assert lines.decoded(shown) == "00A"
