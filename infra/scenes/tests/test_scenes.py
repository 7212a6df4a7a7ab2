"""A scene is its seed: the same picture and the same truth, and the truth lies where it says."""

import cv2
import numpy as np
import pytest
from tartip_scenes.cars import View
from tartip_scenes.forms import PlateKind
from tartip_scenes.scenes import Light, Truth, draw_film, draw_scene
from tartip_scenes.streets import HEIGHT, WIDTH, Signal


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again = draw_scene(11, text="453DXA12"), draw_scene(11, text="453DXA12")
    assert first.jpeg == again.jpeg
    assert first.truth == again.truth
    assert draw_scene(12, text="453DXA12").jpeg != first.jpeg


@pytest.mark.parametrize("seed", range(8))
def test_plate_lies_on_the_vehicle_and_in_the_picture(seed: int) -> None:
    truth = draw_scene(seed).truth
    x, y, width, height = truth.vehicle
    for corner_x, corner_y in truth.corners:
        assert x < corner_x < x + width and y < corner_y < y + height
        assert 0 < corner_x < WIDTH and 0 < corner_y < HEIGHT
    assert 90 < truth.plate[2] < 200


def test_wishes_are_kept() -> None:
    scene = draw_scene(
        3,
        text="01ABC123",
        kind=PlateKind.SQUARE,
        view=View.REAR,
        light=Light.NIGHT,
        signal=Signal.RED,
    )
    assert scene.picture.shape == (HEIGHT, WIDTH, 3)
    assert (scene.truth.text, scene.truth.view) == ("01ABC123", View.REAR)
    assert (scene.truth.light, scene.truth.signal) == (Light.NIGHT, Signal.RED)


def test_a_red_light_is_red_in_the_picture() -> None:
    red, none = (
        draw_scene(5, light=Light.DAY, signal=s).picture for s in (Signal.RED, Signal.NONE)
    )
    assert _reddest(red) > 180 > _reddest(none)


def test_plate_is_pale_inside_its_corners() -> None:
    scene = draw_scene(21, light=Light.DAY)
    mask = np.zeros(scene.picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(scene.truth.corners, np.int32)], 255)
    inside = cv2.cvtColor(scene.picture, cv2.COLOR_BGR2GRAY)[mask > 0]
    assert np.percentile(inside, 70) > 150 and np.percentile(inside, 5) < 110


def test_in_a_film_the_car_comes_nearer() -> None:
    truths: list[Truth] = [scene.truth for scene in draw_film(9, frames=4)]
    assert len({truth.text for truth in truths}) == 1
    widths = [truth.plate[2] for truth in truths]
    assert widths == sorted(widths) and widths[-1] > 1.5 * widths[0]


def _reddest(picture: np.ndarray) -> int:
    corner = picture[:300, 1000:].astype(np.int32)
    return int((corner[..., 2] - corner[..., :2].max(2)).max())
