"""Drawn faces and golden probes: the same from the same seed, with truth that fits."""

import json
from pathlib import Path

import cv2
import numpy as np
from tartip_scenes import probes
from tartip_scenes.faces import SIDE, draw_face


def test_a_seed_draws_one_person_and_another_seed_another() -> None:
    one, again, other = draw_face(4), draw_face(4), draw_face(5)
    assert np.array_equal(one.picture, again.picture) and one.box == again.box
    assert not np.array_equal(one.picture, other.picture)


def test_a_face_lies_within_its_figure_and_both_within_the_picture() -> None:
    for seed in range(6):
        face = draw_face(seed)
        assert face.picture.shape == (SIDE, SIDE, 3)
        x, y, wide, tall = face.box
        left, top, width, height = face.figure
        assert left <= x and top <= y and x + wide <= left + width and y + tall <= top + height
        assert left >= 0 and top >= 0 and left + width <= SIDE and top + height <= SIDE


def test_probes_are_drawn_with_their_truth(tmp_path: Path) -> None:
    probes.main(tmp_path)
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert [one["plate"] for one in truth if one["plate"]] == [text for _, text, _ in probes.CARS]
    assert [one["person"] for one in truth if one["person"]] == ["a", "a", "b", "b"]
    for one in truth:
        picture = cv2.imread(str(tmp_path / one["picture"]))
        assert picture is not None
        height, width = picture.shape[:2]
        for box in (one["seen"], one["face"]):
            assert box is None or (box[0] + box[2] <= width and box[1] + box[3] <= height)
