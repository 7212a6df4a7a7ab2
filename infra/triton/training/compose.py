"""Composes training pictures: rendered plates on drawn car bodies over photographs.

A sample is a square BGR picture and the corners of the plates in it. Lettering that is no plate
(signs, time stamps, badges) is drawn as well, so that the detector learns to ignore it.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from bodies import Garage, car_body, grey, holder, paint, whole_car
from exposure import lit, photographed
from poses import turned
from tartip_scenes.forms import FORMS, PlateKind
from tartip_scenes.lettering import FONTS
from tartip_scenes.plates import DrawnPlate, draw_plate
from tartip_scenes.wear import paste_plate, soil

Picture = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float32]

SIDE: Final = 256
MOST_PLATES: Final = 2
KINDS: Final = (
    *([PlateKind.PERSON] * 5),
    *([PlateKind.EU] * 6),
    *([PlateKind.NORTH_AMERICA] * 3),
    *([PlateKind.BRAZIL] * 2),
    *([PlateKind.SQUARE, PlateKind.TRACTOR, PlateKind.UKRAINE_MOTORCYCLE, PlateKind.EU_SQUARE]),
    *PlateKind,
)
LEAST_SHOWN: Final = 9.0
"""The distance of a plate's edges, in pixels, below which nobody could read it."""


@dataclass(frozen=True, slots=True)
class Sample:
    picture: Picture
    plates: list[Corners]


def compose(
    rng: np.random.Generator,
    photographs: list[Picture],
    garage: Garage,
    fonts: tuple[str, ...] = FONTS,
) -> Sample:
    scene = _background(rng, photographs)
    if rng.random() < 0.12:  # night: what does not shine is dark
        scene = (scene * rng.uniform(0.12, 0.45)).astype(np.uint8)
    plates: list[Corners] = []
    for _ in range(int(rng.choice([0, 1, 1, 1, 2]))):
        plate = draw_plate(rng, kind=KINDS[int(rng.integers(len(KINDS)))], fonts=fonts)
        corners = _place(rng, plate)
        if any(np.abs(corners.mean(0) - other.mean(0)).max() < 64 for other in plates):
            continue
        if not plates and rng.random() < 0.45:
            scene = whole_car(rng, scene, corners, garage.cars[FORMS[plate.kind].size])
        else:
            scene = car_body(rng, scene, corners)
        if rng.random() < 0.25:
            holder(rng, scene, corners)
        worn = DrawnPlate(soil(plate.picture, rng, strength=0.4), plate.text, plate.kind)
        scene = paste_plate(scene, lit(rng, worn), corners)
        plates.append(corners)
    for _ in range(int(rng.choice([0, 0, 1, 1, 2, 3]))):
        _lettering(rng, scene, plates)
    return Sample(photographed(rng, scene), plates)


def _background(rng: np.random.Generator, photographs: list[Picture]) -> Picture:
    photograph = photographs[int(rng.integers(len(photographs)))]
    height, width = photograph.shape[:2]
    side = int(min(height, width) * rng.uniform(0.35, 1.0))
    top, left = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    scene = cv2.resize(
        photograph[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA
    )
    if rng.random() < 0.5:
        scene = scene[:, ::-1]
    shown = scene.astype(np.float32) * rng.uniform(0.6, 1.2) + rng.uniform(-20, 20)
    return np.ascontiguousarray(np.clip(shown, 0, 255).astype(np.uint8))


def _place(rng: np.random.Generator, plate: DrawnPlate) -> Corners:
    """Where the plate's corners fall when it hangs in space, turned, before a near camera."""
    while True:
        height, width = plate.picture.shape[:2]
        corners = turned(rng, (width, height), wide=_width(rng, height / width))
        across, down = corners[1] - corners[0], corners[3] - corners[0]
        shown = abs(float(across[0] * down[1] - across[1] * down[0]))
        longest = max(float(np.linalg.norm(across)), float(np.linalg.norm(down)))
        spread = np.ptp(corners, axis=0)
        if shown / longest < LEAST_SHOWN * 0.5 or spread[0] < LEAST_SHOWN or spread.max() > SIDE:
            continue
        reach = spread / 2
        centre = rng.uniform(
            np.minimum(reach * 0.95, SIDE / 2), np.maximum(SIDE - reach * 0.95, SIDE / 2)
        )
        placed: Corners = (corners - corners.mean(0) + centre).astype(np.float32)
        return placed


def _width(rng: np.random.Generator, height_to_width: float) -> float:
    """From plates that can hardly be read to those that fill the picture."""
    wide = float(np.exp(rng.uniform(np.log(18), np.log(250))))
    if rng.random() < 0.2:
        wide = float(rng.uniform(90, 250))
    return wide * 0.65 if height_to_width > 0.5 else wide


def _lettering(rng: np.random.Generator, scene: Picture, plates: list[Corners]) -> None:
    origin = (int(rng.integers(0, SIDE - 60)), int(rng.integers(15, SIDE - 5)))
    middle = np.array([origin[0] + 40, origin[1]])
    if any((np.abs(middle - plate.mean(0)) < [90, 40]).all() for plate in plates):
        return
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghiklmnoprstu0123456789:-/ ")
    between = " " if rng.random() < 0.2 else ""
    text = between.join(str(mark) for mark in rng.choice(letters, int(rng.integers(3, 16))))
    face, scale = int(rng.choice([0, 2, 3, 4])), float(rng.uniform(0.3, 1.0))
    if rng.random() < 0.4:
        (wide, tall), _ = cv2.getTextSize(text, face, scale, 1)
        corner, opposite = (
            (origin[0] - 4, origin[1] - tall - 5),
            (origin[0] + wide + 4, origin[1] + 6),
        )
        cv2.rectangle(scene, corner, opposite, paint(rng), -1)
    cv2.putText(scene, text, origin, face, scale, grey(rng, 0, 255), int(rng.integers(1, 3)))
