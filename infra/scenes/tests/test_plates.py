"""A plate is drawn with the text that it claims, the same for the same seed."""

import numpy as np
import pytest
from law.regions import REGIONS
from tartip_scenes.forms import (
    FORMS,
    KAZAKH_KINDS,
    ONE_LINE_KAZAKH_KINDS,
    PlateKind,
    random_text,
)
from tartip_scenes.lettering import FONT_FOLDER, FONTS, HELD_OUT_FONTS
from tartip_scenes.plates import draw_plate
from tartip_scenes.wear import paste_plate, soil


@pytest.mark.parametrize("kind", list(PlateKind))
def test_every_kind_is_drawn_in_its_size(kind: PlateKind) -> None:
    plate = draw_plate(np.random.default_rng(1), kind=kind)
    width, height = FORMS[kind].size
    assert plate.picture.shape == (height, width, 3)
    known = (FORMS[kind].groups, *FORMS[kind].others)
    assert len(plate.text) in {sum(len(group) for group in groups) for groups in known}


def test_same_seed_draws_the_same_plate() -> None:
    first = draw_plate(np.random.default_rng(7))
    second = draw_plate(np.random.default_rng(7))
    assert first.text == second.text
    assert np.array_equal(first.picture, second.picture)


def test_given_text_is_kept() -> None:
    plate = draw_plate(np.random.default_rng(1), kind=PlateKind.ENTITY, text="389BK01")
    assert plate.text == "389BK01"


def test_text_of_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="8 characters"):
        draw_plate(np.random.default_rng(1), kind=PlateKind.PERSON, text="12")


def test_person_plate_has_a_valid_region() -> None:
    rng = np.random.default_rng(3)
    assert {random_text(PlateKind.PERSON, rng)[-2:] for _ in range(400)} == {
        region.plate for region in REGIONS.values()
    }


def test_square_is_kazakh_but_not_one_line() -> None:
    assert PlateKind.SQUARE in KAZAKH_KINDS
    assert PlateKind.SQUARE not in ONE_LINE_KAZAKH_KINDS


def test_held_out_fonts_are_not_trained_on() -> None:
    assert not set(FONTS) & set(HELD_OUT_FONTS)
    assert all((FONT_FOLDER / name).exists() for name in (*FONTS, *HELD_OUT_FONTS))


def test_pasting_changes_the_scene_inside_of_the_corners_alone() -> None:
    scene = np.full((200, 300, 3), 50, np.uint8)
    plate = draw_plate(np.random.default_rng(2))
    corners = np.array([[100, 80], [200, 80], [200, 102], [100, 102]], np.float32)
    shown = paste_plate(scene, plate, corners)
    assert shown[90, 150].mean() != 50 or shown[84, 130].mean() != 50
    assert np.array_equal(shown[:70], scene[:70])
    assert np.array_equal(shown[:, 210:], scene[:, 210:])


def test_soil_leaves_the_original_alone() -> None:
    plate = draw_plate(np.random.default_rng(2))
    before = plate.picture.copy()
    soil(plate.picture, np.random.default_rng(4), strength=1.0)
    assert np.array_equal(plate.picture, before)
