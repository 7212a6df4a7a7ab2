"""Draws what a plate is mounted on: whole cars, painted car bodies, dealers' frames."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from tartip_scenes import brush
from tartip_scenes.cars import SHEET_PER_MILLIMETRE, DrawnCar, View, draw_car
from tartip_scenes.forms import FORMS

Picture = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Garage:
    """Drawn cars for many pictures: a list of cars for each size (width, height) of plate in mm.

    Each car is a tuple of three pictures: one drawing in full, half and quarter size.
    """

    cars: dict[tuple[int, int], list[tuple[DrawnCar, ...]]]

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, each: int) -> "Garage":
        cars = {}
        for wide, tall in sorted({form.size for form in FORMS.values()}):
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
        sheet, mask = _halved(last.sheet), _halved(last.mask)
        places = tuple((x / 2, y / 2) for x, y in last.plate)
        lamps = tuple((x / 2, y / 2) for x, y in last.lamps)
        sizes.append(DrawnCar(sheet, mask, places, lamps, last.outline))
    return tuple(sizes)


def _halved(picture: Picture) -> Picture:
    return cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8)


def whole_car(
    rng: np.random.Generator,
    scene: Picture,
    corners: Corners,
    cars: list[tuple[DrawnCar, ...]],
) -> Picture:
    """Return a copy of the scene with one of `cars` drawn to fit the plate at `corners` [4, 2].

    Each car is given in several sizes, largest first, as in `Garage`.
    """
    sizes = cars[int(rng.integers(len(cars)))]
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    car = next((one for one in sizes[::-1] if one.plate[1][0] - one.plate[0][0] >= wide), sizes[0])
    places = np.array(car.plate, np.float32)
    warp = cv2.getPerspectiveTransform(places, np.ascontiguousarray(corners, np.float32))
    sheet = cv2.warpPerspective(car.sheet, warp, scene.shape[1::-1], flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(car.mask, warp, scene.shape[1::-1], flags=cv2.INTER_LINEAR)
    light = rng.uniform(0.15, 0.6) if scene.mean() < 50 else rng.uniform(0.6, 1.15)
    share = mask[..., None].astype(np.float32) / 255
    shown = scene * (1 - share) + np.clip(sheet * light, 0, 255) * share
    painted: Picture = shown.astype(np.uint8)
    if light < 0.6 and rng.random() < 0.7:
        lamps = cv2.perspectiveTransform(np.array([car.lamps], np.float32), warp)[0]
        for x, y in lamps.tolist():
            if 0 <= x < scene.shape[1] and 0 <= y < scene.shape[0]:
                colour = (50, 40, 235) if rng.random() < 0.5 else (215, 235, 245)
                brush.glow(painted, (x, y), max(2.0, wide * 0.2), colour, 0.85)
    return painted


def car_body(rng: np.random.Generator, scene: Picture, corners: Corners) -> Picture:
    """Return a copy of the scene with parts of a car drawn around the plate at `corners` [4, 2].

    Paint, lamps, a badge and the like are chosen at random; in one of five scenes, nothing is
    drawn.
    """
    if rng.random() < 0.2:
        return scene
    x, y = corners.mean(0)
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    reach_x, reach_y = wide * rng.uniform(0.6, 2.4), wide * rng.uniform(0.3, 1.4)
    above, below = reach_y * rng.uniform(0.5, 1.2), reach_y * rng.uniform(0.3, 1.0)
    body = scene.copy()
    colour_of_car = paint(rng)
    (left, top), (right, bottom) = _at(x - reach_x, y - above), _at(x + reach_x, y + below)
    cv2.rectangle(body, (left, top), (right, bottom), colour_of_car, -1)
    if rng.random() < 0.5:
        part = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
        body[part] = _polished(rng, body, scene)[part]
    _lines(rng, body, (x, y), (reach_x, above, below))
    if rng.random() < 0.5:
        for side in (-1, 1):
            lamp = _at(x + side * reach_x * 0.8, y - above * 0.4)
            axes = (int(wide * rng.uniform(0.1, 0.35)) + 1, int(wide * rng.uniform(0.06, 0.2)) + 1)
            glow = (int(rng.integers(20, 120)),) * 2 + (int(rng.integers(120, 255)),)
            colour = glow if rng.random() < 0.5 else grey(rng, 150, 255)
            cv2.ellipse(body, lamp, axes, 0, 0, 360, colour, -1)
    if rng.random() < 0.4:
        centre = _at(x, y - above * 0.6)
        cv2.circle(body, centre, int(wide * rng.uniform(0.05, 0.14)) + 1, grey(rng, 90, 255), 2)
    if rng.random() < 0.5:
        recess = (corners - [x, y]) * rng.uniform([1.1, 1.2], [1.6, 2.2]) + [x, y]
        cv2.fillPoly(body, [recess.astype(np.int32)], _shaded(colour_of_car, rng.uniform(0.4, 0.9)))
    body = cv2.GaussianBlur(body, (5, 5), 0).astype(np.uint8)
    share = float(rng.uniform(0.6, 1))
    body = cv2.addWeighted(body, share, scene, 1 - share, 0).astype(np.uint8)
    if rng.random() < 0.6:
        frame = (corners - [x, y]) * [rng.uniform(1.02, 1.1), rng.uniform(1.06, 1.3)] + [x, y]
        cv2.fillPoly(body, [frame.astype(np.int32)], grey(rng, 0, 70))
    return body


def _polished(rng: np.random.Generator, body: Picture, around: Picture) -> Picture:
    """Paint in which the street is reflected, drawn out sideways and darker below."""
    blur = (int(rng.integers(5, 25)) * 2 + 1, int(rng.integers(1, 6)) * 2 + 1)
    mirrored = cv2.GaussianBlur(around[::-1], blur, 0).astype(np.float32)
    light = np.linspace(rng.uniform(0.9, 1.4), rng.uniform(0.4, 1.0), len(body), dtype=np.float32)
    share = rng.uniform(0.15, 0.6)
    shown = body * light[:, None, None] * (1 - share) + mirrored * share
    return np.clip(shown, 0, 255).astype(np.uint8)


def holder(rng: np.random.Generator, scene: Picture, corners: Corners) -> None:
    """Draw a dealer's frame around the plate at `corners` [4, 2] into `scene`.

    In most cases the frame has lettering on its upper or lower edge.
    """
    above, below = rng.permutation([rng.uniform(0.02, 0.1), rng.uniform(0.15, 0.3)])
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    turned = cv2.getPerspectiveTransform(unit, np.ascontiguousarray(corners, np.float32))
    side = rng.uniform(0.01, 0.05)
    edges = [[-side, -above], [1 + side, -above], [1 + side, 1 + below], [-side, 1 + below]]
    outline = cv2.perspectiveTransform(np.array([edges], np.float32), turned)[0]
    frame = grey(rng, 10, 80) if rng.random() < 0.7 else paint(rng)
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
    ink = (
        cv2.warpPerspective(strip, warp, scene.shape[1::-1], flags=cv2.INTER_AREA)[..., None] / 255
    )
    scene[:] = (scene * (1 - ink) + np.array(grey(rng, 140, 256)) * ink).astype(np.uint8)


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
        cv2.line(body, left, right, grey(rng, 0, 255), int(rng.integers(1, 4)))


def paint(rng: np.random.Generator) -> tuple[int, int, int]:
    if rng.random() < 0.6:
        return grey(rng, 0, 256)
    blue, green, red = (int(value) for value in rng.integers(0, 256, 3))
    return blue, green, red


def grey(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    value = int(rng.integers(low, high))
    return value, value, value


def _shaded(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    blue, green, red = (int(value * share) for value in colour)
    return blue, green, red


def _at(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)
