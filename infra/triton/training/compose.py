"""Composes training pictures: rendered plates on drawn car bodies over photographs.

A sample is a square BGR picture and the corners of the plates in it. Lettering that is no plate
(signs, time stamps, badges) is drawn as well, so that the detector learns to leave it alone.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from tartip_scenes import brush
from tartip_scenes.cars import SHEET_PER_MILLIMETRE, DrawnCar, View, draw_car
from tartip_scenes.plates import (
    FONTS,
    FORMS,
    DrawnPlate,
    PlateKind,
    draw_plate,
    paste_plate,
    soil,
)

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
"""Pixels from edge to edge below which nobody could read a plate."""


@dataclass(frozen=True, slots=True)
class Sample:
    picture: Picture
    plates: list[Corners]


@dataclass(frozen=True, slots=True)
class Garage:
    """Whole cars, drawn once, in several sizes; the plate's place is that of one kind's size."""

    cars: dict[tuple[int, int], list[tuple[DrawnCar, ...]]]

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, each: int) -> "Garage":
        cars = {}
        for wide, tall in {FORMS[kind].size for kind in KINDS}:
            size = {
                "plate_height": tall * SHEET_PER_MILLIMETRE,
                "plate_width": wide * SHEET_PER_MILLIMETRE,
            }
            count = each if wide == 520 else 1 + each // 10
            views = [list(View)[int(rng.integers(2))] for _ in range(count)]
            cars[wide, tall] = [_smaller(draw_car(rng, view, **size)) for view in views]
        return cls(cars)


def _smaller(car: DrawnCar) -> tuple[DrawnCar, ...]:
    """The car and its quarters, so that a car far away is not skipped through."""
    sizes = [car]
    for _ in range(2):
        last = sizes[-1]
        half = {"fx": 0.5, "fy": 0.5, "interpolation": cv2.INTER_AREA}
        sheet, mask = cv2.resize(last.sheet, None, **half), cv2.resize(last.mask, None, **half)
        places = tuple((x / 2, y / 2) for x, y in last.plate)
        lamps = tuple((x / 2, y / 2) for x, y in last.lamps)
        sizes.append(DrawnCar(sheet, mask, places, lamps, last.outline))
    return tuple(sizes)


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
            scene = _whole_car(rng, scene, corners, garage.cars[FORMS[plate.kind].size])
        else:
            scene = _car_body(rng, scene, corners)
        if rng.random() < 0.25:
            _holder(rng, scene, corners)
        worn = DrawnPlate(soil(plate.picture, rng, strength=0.4), plate.text, plate.kind)
        scene = paste_plate(scene, _lit(rng, worn), corners)
        plates.append(corners)
    for _ in range(int(rng.choice([0, 0, 1, 1, 2, 3]))):
        _lettering(rng, scene, plates)
    return Sample(photographed(rng, scene), plates)


def photographed(rng: np.random.Generator, scene: Picture) -> Picture:
    """What a cheap camera makes of it: light, blur, noise, JPEG."""
    shot = scene
    if rng.random() < 0.4:
        size = int(rng.choice([3, 3, 5]))
        shot = cv2.GaussianBlur(shot, (size, size), 0).astype(np.uint8)
    if rng.random() < 0.15:
        shot = _smeared(rng, shot)
    light = shot.astype(np.float32) * rng.uniform(0.55, 1.3) + rng.uniform(-25, 30)
    if rng.random() < 0.4:  # each camera has a curve of its own
        light = 255 * (np.clip(light, 0, 255) / 255) ** np.float32(np.exp(rng.normal(0, 0.4)))
    width = light.shape[1]
    if rng.random() < 0.3:
        ramp = np.linspace(rng.uniform(0.5, 1.1), rng.uniform(0.5, 1.1), width)
        light *= ramp[None, :, None].astype(np.float32)
    if rng.random() < 0.12:
        light = np.repeat(light.mean(2, keepdims=True), 3, 2) * rng.uniform(0.4, 1.4)
    light += rng.standard_normal(light.shape, np.float32) * rng.choice([0, 2, 4, 8, 12])
    shot = np.clip(light, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(30, 90))
        encoded = cv2.imencode(".jpg", shot, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        shot = cv2.imdecode(encoded, cv2.IMREAD_COLOR).astype(np.uint8)
    return shot


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
    lit = scene.astype(np.float32) * rng.uniform(0.6, 1.2) + rng.uniform(-20, 20)
    return np.ascontiguousarray(np.clip(lit, 0, 255).astype(np.uint8))


def _place(rng: np.random.Generator, plate: DrawnPlate) -> Corners:
    """Where the plate's corners fall when it hangs in space, turned, before a near camera."""
    while True:
        corners = _turned(rng, plate)
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
        return (corners - corners.mean(0) + centre).astype(np.float32)


def _turned(rng: np.random.Generator, plate: DrawnPlate) -> Corners:
    height, width = plate.picture.shape[:2]
    wide = float(np.exp(rng.uniform(np.log(18), np.log(250))))
    if rng.random() < 0.2:
        wide = float(rng.uniform(90, 250))
    if height * 2 > width:
        wide *= 0.65
    tall = wide * height / width * rng.uniform(0.92, 1.12)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [wide / 2, tall / 2]
    yaw = rng.uniform(-68, 68) if rng.random() < 0.4 else rng.normal(0, 14)
    yaw, pitch, roll = np.deg2rad([yaw, rng.normal(6, 9), rng.normal(0, 4)])
    # a camera over the road looks down, so a plate turned away also leans
    lean = pitch if rng.random() < 0.7 else 0.0
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]]
    )
    about_z = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    placed = np.column_stack([square, np.zeros(4)]) @ (about_z @ about_x @ about_y).T
    away = wide * rng.uniform(3.5, 14)
    shown = placed[:, :2] * (away / (away + placed[:, 2]))[:, None]
    wobble = rng.uniform(-0.012, 0.012, (4, 2)) * wide
    return (shown + wobble).astype(np.float32)


def _lit(rng: np.random.Generator, plate: DrawnPlate) -> DrawnPlate:
    light = plate.picture.astype(np.float32) * rng.uniform(0.4, 1.1) + rng.uniform(-10, 20)
    if rng.random() < 0.3:
        width = light.shape[1]
        light *= np.linspace(rng.uniform(0.5, 1), rng.uniform(0.5, 1), width)[None, :, None]
    if rng.random() < 0.15:
        edge = int(rng.integers(0, light.shape[0]))
        light[:edge] *= rng.uniform(0.4, 0.8)
    return DrawnPlate(np.clip(light, 0, 255).astype(np.uint8), plate.text, plate.kind)


def _whole_car(
    rng: np.random.Generator,
    scene: Picture,
    corners: Corners,
    cars: list[tuple[DrawnCar, ...]],
) -> Picture:
    """A drawn car, seen as its plate is seen."""
    sizes = cars[int(rng.integers(len(cars)))]
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    car = next((one for one in sizes[::-1] if one.plate[1][0] - one.plate[0][0] >= wide), sizes[0])
    places = np.array(car.plate, np.float32)
    warp = cv2.getPerspectiveTransform(places, np.ascontiguousarray(corners, np.float32))
    sheet = cv2.warpPerspective(car.sheet, warp, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(car.mask, warp, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    light = rng.uniform(0.15, 0.6) if scene.mean() < 50 else rng.uniform(0.6, 1.15)
    share = mask[..., None].astype(np.float32) / 255
    shown = scene * (1 - share) + np.clip(sheet * light, 0, 255) * share
    painted: Picture = shown.astype(np.uint8)
    if light < 0.6 and rng.random() < 0.7:
        lamps = cv2.perspectiveTransform(np.array([car.lamps], np.float32), warp)[0]
        for x, y in lamps.tolist():
            if 0 <= x < SIDE and 0 <= y < SIDE:
                colour = (50, 40, 235) if rng.random() < 0.5 else (215, 235, 245)
                brush.glow(painted, (x, y), max(2.0, wide * 0.2), colour, 0.85)
    return painted


def _car_body(rng: np.random.Generator, scene: Picture, corners: Corners) -> Picture:
    """Paint, grille, bumper lines, lamps, badge and plate holder around the plate."""
    if rng.random() < 0.2:
        return scene
    x, y = corners.mean(0)
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    reach_x, reach_y = wide * rng.uniform(0.6, 2.4), wide * rng.uniform(0.3, 1.4)
    above, below = reach_y * rng.uniform(0.5, 1.2), reach_y * rng.uniform(0.3, 1.0)
    body = scene.copy()
    paint = _paint(rng)
    (left, top), (right, bottom) = _at(x - reach_x, y - above), _at(x + reach_x, y + below)
    cv2.rectangle(body, (left, top), (right, bottom), paint, -1)
    if rng.random() < 0.5:
        part = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
        body[part] = _polished(rng, body, scene)[part]
    _lines(rng, body, (x, y), (reach_x, above, below))
    if rng.random() < 0.5:
        for side in (-1, 1):
            lamp = _at(x + side * reach_x * 0.8, y - above * 0.4)
            axes = (int(wide * rng.uniform(0.1, 0.35)) + 1, int(wide * rng.uniform(0.06, 0.2)) + 1)
            glow = (int(rng.integers(20, 120)),) * 2 + (int(rng.integers(120, 255)),)
            colour = glow if rng.random() < 0.5 else _grey(rng, 150, 255)
            cv2.ellipse(body, lamp, axes, 0, 0, 360, colour, -1)
    if rng.random() < 0.4:
        centre = _at(x, y - above * 0.6)
        cv2.circle(body, centre, int(wide * rng.uniform(0.05, 0.14)) + 1, _grey(rng, 90, 255), 2)
    if rng.random() < 0.5:
        recess = (corners - [x, y]) * rng.uniform([1.1, 1.2], [1.6, 2.2]) + [x, y]
        cv2.fillPoly(body, [recess.astype(np.int32)], _shaded(paint, rng.uniform(0.4, 0.9)))
    body = cv2.GaussianBlur(body, (5, 5), 0).astype(np.uint8)
    share = float(rng.uniform(0.6, 1))
    body = cv2.addWeighted(body, share, scene, 1 - share, 0).astype(np.uint8)
    if rng.random() < 0.6:
        frame = (corners - [x, y]) * [rng.uniform(1.02, 1.1), rng.uniform(1.06, 1.3)] + [x, y]
        cv2.fillPoly(body, [frame.astype(np.int32)], _grey(rng, 0, 70))
    return body


def _polished(rng: np.random.Generator, body: Picture, around: Picture) -> Picture:
    """Paint in which the street is reflected, drawn out sideways and darker below."""
    blur = (int(rng.integers(5, 25)) * 2 + 1, int(rng.integers(1, 6)) * 2 + 1)
    mirrored = cv2.GaussianBlur(around[::-1], blur, 0).astype(np.float32)
    light = np.linspace(rng.uniform(0.9, 1.4), rng.uniform(0.4, 1.0), SIDE, dtype=np.float32)
    share = rng.uniform(0.15, 0.6)
    shown = body * light[:, None, None] * (1 - share) + mirrored * share
    return np.clip(shown, 0, 255).astype(np.uint8)


def _holder(rng: np.random.Generator, scene: Picture, corners: Corners) -> None:
    """A dealer's frame around the plate, with his name on its lower edge or on its upper one."""
    above, below = rng.permutation([rng.uniform(0.02, 0.1), rng.uniform(0.15, 0.3)])
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    turned = cv2.getPerspectiveTransform(unit, np.ascontiguousarray(corners, np.float32))
    side = rng.uniform(0.01, 0.05)
    edges = [[-side, -above], [1 + side, -above], [1 + side, 1 + below], [-side, 1 + below]]
    outline = cv2.perspectiveTransform(np.array([edges], np.float32), turned)[0]
    frame = _grey(rng, 10, 80) if rng.random() < 0.7 else _paint(rng)
    cv2.fillPoly(scene, [np.round(outline).astype(np.int32)], frame, cv2.LINE_AA)
    if rng.random() < 0.3:
        return
    middle = 1 + below / 2 if below > above else -above / 2
    share = float(max(above, below)) * 0.6
    text = "".join(str(mark) for mark in rng.choice(list("ABCDEHIKLMNOPRSTUV.- "), 18))
    strip = np.full((20, 360), 0, np.uint8)
    cv2.putText(strip, text, (4, 16), int(rng.choice([0, 2])), 0.6, 255, 1, cv2.LINE_AA)
    stretched = np.array([[0.05, 0], [0.95, 0], [0.95, 1], [0.05, 1]], np.float32)
    stretched[:, 1] = middle + (stretched[:, 1] - 0.5) * share
    placed = cv2.perspectiveTransform(stretched[None], turned)[0]
    source = np.array([[0, 0], [360, 0], [360, 20], [0, 20]], np.float32)
    warp = cv2.getPerspectiveTransform(source, placed)
    ink = cv2.warpPerspective(strip, warp, (SIDE, SIDE), flags=cv2.INTER_AREA)[..., None] / 255
    scene[:] = (scene * (1 - ink) + np.array(_grey(rng, 140, 256)) * ink).astype(np.uint8)


def _lines(
    rng: np.random.Generator,
    body: Picture,
    centre: tuple[float, float],
    reach: tuple[float, float, float],
) -> None:
    x, y = centre
    reach_x, above, below = reach
    for _ in range(int(rng.integers(0, 10))):
        level = float(rng.uniform(y - above, y + below))
        left = _at(x - reach_x * rng.uniform(0.3, 1), level)
        right = _at(x + reach_x * rng.uniform(0.3, 1), level + rng.normal(0, 2))
        cv2.line(body, left, right, _grey(rng, 0, 255), int(rng.integers(1, 4)))


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
        cv2.rectangle(scene, corner, opposite, _paint(rng), -1)
    cv2.putText(scene, text, origin, face, scale, _grey(rng, 0, 255), int(rng.integers(1, 3)))


def _smeared(rng: np.random.Generator, scene: Picture) -> Picture:
    size = int(rng.integers(3, 8))
    kernel = np.zeros((size, size), np.float32)
    kernel[size // 2] = 1 / size
    middle = (size / 2 - 0.5, size / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(middle, float(rng.uniform(-35, 35)), 1)
    kernel = cv2.warpAffine(kernel, turn, (size, size))
    return cv2.filter2D(scene, -1, kernel / max(float(kernel.sum()), 1e-6)).astype(np.uint8)


def _paint(rng: np.random.Generator) -> tuple[int, int, int]:
    if rng.random() < 0.6:
        return _grey(rng, 0, 256)
    blue, green, red = (int(value) for value in rng.integers(0, 256, 3))
    return blue, green, red


def _grey(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    value = int(rng.integers(low, high))
    return value, value, value


def _shaded(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    blue, green, red = (int(value * share) for value in colour)
    return blue, green, red


def _at(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)
