"""The gate opens for what moves, however small, and not for noise; frozen and black are told."""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tartip_scenes.scenes import Light, draw_film
from vision.background.motion_gate import (
    FROZEN_SECONDS,
    LOOK_AGAIN_SECONDS,
    Grey,
    MotionGate,
    Need,
    PictureState,
    StreamHealth,
    moved,
    small_grey,
)

FULL = (720, 1280)
FILM_SECONDS = 35.0
FILMS = (
    "abandoned/aboda_video4.avi",
    "abandoned/avss2007_easy_clip.mov",
    "pedestrians/one_by_one.mp4",
    "traffic/highway_away.avi",
    "traffic/topdown_road.avi",
)


def street(seed: int = 1) -> npt.NDArray[np.float64]:
    """A still place with edges and texture, [720,1280]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, (18, 32)).astype(np.uint8)
    return cv2.resize(coarse, FULL[::-1], interpolation=cv2.INTER_NEAREST).astype(np.float64)


def shot(scene: npt.NDArray[np.float64], *, noise: float, seed: int) -> Grey:
    """What a sensor with this much noise makes of it, in small."""
    rng = np.random.default_rng(seed)
    sensed = np.clip(scene + rng.normal(0, noise, scene.shape), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(sensed, (320, 180), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0, 10.0, 20.0])
def test_noise_is_no_motion(noise: float) -> None:
    scene = street()
    shots = [shot(scene, noise=noise, seed=number) for number in range(6)]
    assert not any(moved(before, after) for before, after in pairwise(shots))


@pytest.mark.parametrize("size", [(8, 24), (12, 40), (30, 60)])
@pytest.mark.parametrize("noise", [0.0, 5.0, 10.0])
def test_a_far_plate_that_comes_into_view_is_motion(size: tuple[int, int], noise: float) -> None:
    scene = street()
    missed = []
    for number, place in enumerate([(300, 500), (90, 77), (402, 1001), (650, 1234), (513, 641)]):
        top, left = place
        height, width = size
        there = scene.copy()
        # A white plate on whatever was there, which was dark or in the middle.
        there[top : top + height, left : left + width] = 235
        before = scene.copy()
        before[top : top + height, left : left + width] = 90
        if not moved(shot(before, noise=noise, seed=number), shot(there, noise=noise, seed=99)):
            missed.append(place)
    assert missed == []


def test_light_that_changes_everywhere_is_looked_at_at_most_now_and_then() -> None:
    scene, gate, opened = street(), MotionGate(), 0
    for number in range(50):
        grey = shot(scene + number * 0.2, noise=3, seed=number)
        if gate.needs(grey, number * 0.5):
            gate.looked(grey, number * 0.5)
            opened += 1
    assert opened <= 1 + 25 / LOOK_AGAIN_SECONDS + 3


def test_what_creeps_adds_up() -> None:
    gate, opened = MotionGate(), []
    for number in range(20):
        scene = street()
        scene[300:340, 400:440] = 100 + number
        grey = shot(scene, noise=2, seed=number)
        if gate.needs(grey, number * 0.1):
            gate.looked(grey, number * 0.1)
            opened.append(number)
    assert 1 < len(opened) < 20


def test_a_look_that_failed_leaves_the_gate_open_and_another_size_opens_it() -> None:
    gate, grey = MotionGate(), shot(street(), noise=2, seed=1)
    assert gate.needs(grey, 0.0) and gate.needs(grey, 0.1)
    gate.looked(grey, 0.1)
    assert not gate.needs(grey, 0.2)
    assert gate.needs(grey[:100], 0.3)
    assert gate.needs(grey, 0.1 + LOOK_AGAIN_SECONDS) is Need.AGAIN
    gate.later(0.1 + LOOK_AGAIN_SECONDS)
    assert not gate.needs(grey, 0.2 + LOOK_AGAIN_SECONDS)
    assert gate.needs(shot(street(2), noise=2, seed=1), 0.2 + LOOK_AGAIN_SECONDS) is Need.YES


def test_a_frozen_and_a_black_picture_are_told_and_a_sensor_at_night_is_neither() -> None:
    rng = np.random.default_rng(1)
    same, watchman = np.full((180, 320), 90, np.uint8), StreamHealth()
    shows = [watchman.observe(same.tobytes(), same, at) for at in (0.0, 2.0, FROZEN_SECONDS)]
    assert shows == [PictureState.LIVE, PictureState.LIVE, PictureState.FROZEN]
    for number, (level, expected) in enumerate([(17, PictureState.BLACK), (60, PictureState.LIVE)]):
        noisy = np.clip(rng.normal(level, 2, same.shape), 0, 255).astype(np.uint8)
        assert watchman.observe(noisy.tobytes(), noisy, 20.0 + number) is expected
    lamp = np.full((180, 320), 17, np.uint8)
    lamp[80:90, 100:110] = 220
    assert watchman.observe(lamp.tobytes(), lamp, 30.0) is PictureState.LIVE


def test_a_car_that_passes_is_seen_in_every_drawn_frame() -> None:
    greys = [
        np.asarray(
            cv2.resize(
                cv2.cvtColor(scene.picture, cv2.COLOR_BGR2GRAY),
                (320, 180),
                interpolation=cv2.INTER_AREA,
            ),
            np.uint8,
        )
        for scene in draw_film(5, frames=8, text="725BDE07", light=Light.NIGHT)
    ]
    assert all(moved(before, after) for before, after in pairwise(greys))


def film_greys(path: Path, frames_per_second: float) -> Iterator[tuple[float, Grey, Any]]:
    with av.open(str(path)) as film:
        stream, last = film.streams.video[0], -1
        rate = float(stream.average_rate or 25)
        for number, frame in enumerate(film.decode(stream)):
            if number / rate > FILM_SECONDS:
                return
            slot = int(number / rate * frames_per_second)
            if slot > last:
                last = slot
                yield number / rate, small_grey(frame), frame


@pytest.mark.photographs
@pytest.mark.parametrize("name", FILMS)
def test_what_moves_in_real_films_is_never_gated(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    """Held against a slow, plain reference: changes of whole patches after denoising."""
    gate, frames, missed = MotionGate(), 0, []
    looked_at: Any = None
    gated = 0
    for at, grey, frame in film_greys(Path(os.environ["TARTIP_PHOTOGRAPHS"]) / name, 2.0):
        frames += 1
        calm = cv2.GaussianBlur(frame.to_ndarray(format="gray"), (0, 0), frame.width / 160)
        if gate.needs(grey, at):
            gate.looked(grey, at)
            looked_at = calm
        else:
            gated += 1
            changed = (cv2.absdiff(calm, looked_at) > 25).astype(np.uint8)
            # As large as a person at the far end of the street.
            if changed.sum() > 0.0015 * changed.size:
                missed.append(round(at, 1))
    record_property("gated", f"{gated} of {frames}")
    assert missed == [], f"{len(missed)} of {frames} frames were passed over though much had moved"
