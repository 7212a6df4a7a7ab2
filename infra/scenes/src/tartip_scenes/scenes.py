"""Draws road scenes with a car whose plate is known, as a camera above the road would see them.

The same seed and arguments give the same picture, byte for byte, and the same truth:

    scene = draw_scene(7, text="453DXA12", light=Light.NIGHT, signal=Signal.RED)
    scene.jpeg, scene.truth.text, scene.truth.corners, scene.truth.vehicle
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tartip_scenes import brush
from tartip_scenes.brush import Picture
from tartip_scenes.cars import (
    SHEET_HEIGHT,
    SHEET_PER_MILLIMETRE,
    SHEET_WIDTH,
    DrawnCar,
    View,
    draw_car,
)
from tartip_scenes.forms import FORMS, PlateKind
from tartip_scenes.lettering import FONTS
from tartip_scenes.plates import Corners, DrawnPlate, draw_plate
from tartip_scenes.streets import HEIGHT, WIDTH, Signal, lit_lamp, street
from tartip_scenes.wear import paste_plate, soil

JPEG_QUALITY: Final = 88
FILM_STEPS: Final = 12
_NIGHT: Final = 0.26


class Light(StrEnum):
    DAY = "day"
    DUSK = "dusk"
    NIGHT = "night"


@dataclass(frozen=True, slots=True)
class Truth:
    """What a drawn scene shows: the plate (text, kind, corners), the car, its front or back
    (`view`), the light, and the traffic light (`signal`).

    The fields `vehicle` (the car) and `plate` are boxes (x, y, width, height) in pixels. Corners
    are (x, y), clockwise from the top left.
    """

    text: str
    kind: PlateKind
    corners: tuple[tuple[float, float], ...]
    vehicle: tuple[float, float, float, float]
    view: View
    light: Light
    signal: Signal

    @property
    def plate(self) -> tuple[float, float, float, float]:
        return _box_around(np.array(self.corners, np.float32))


@dataclass(frozen=True, slots=True)
class Scene:
    picture: Picture
    truth: Truth

    @property
    def jpeg(self) -> bytes:
        encoded = cv2.imencode(".jpg", self.picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        return encoded.tobytes()


def draw_scene(
    seed: int,
    *,
    text: str | None = None,
    kind: PlateKind = PlateKind.PERSON,
    view: View | None = None,
    light: Light | None = None,
    signal: Signal = Signal.NONE,
    fonts: tuple[str, ...] = FONTS,
) -> Scene:
    """Draw one scene. If `text`, `view` or `light` is None, the seed determines it at random."""
    rng = np.random.default_rng(seed)
    stage = _Stage.random(
        rng, text=text, kind=kind, view=view, light=light, signal=signal, fonts=fonts
    )
    return _shoot(stage, stage.pose, np.random.default_rng([seed, 0]))


def draw_film(
    seed: int,
    *,
    frames: int = FILM_STEPS,
    text: str | None = None,
    kind: PlateKind = PlateKind.PERSON,
    light: Light | None = None,
    signal: Signal = Signal.NONE,
) -> Iterator[Scene]:
    """Yield the frames of a film in which a car, seen from the front, comes nearer.

    If `text` or `light` is None, the seed determines it at random.
    """
    rng = np.random.default_rng(seed)
    stage = _Stage.random(
        rng, text=text, kind=kind, view=View.FRONT, light=light, signal=signal, fonts=FONTS
    )
    for frame in range(frames):
        share = frame / max(1, frames - 1)
        yield _shoot(stage, stage.pose.nearer(share), np.random.default_rng([seed, frame]))


@dataclass(frozen=True, slots=True)
class _Pose:
    """How the car stands: width in pixels, middle of its foot, turn and tilt in degrees."""

    width: float
    x: float
    y: float
    turn: float
    tilt: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> "_Pose":
        width = float(rng.uniform(430, 640))
        return cls(
            width=width,
            x=float(rng.uniform(width * 0.55, WIDTH - width * 0.55)),
            y=float(rng.uniform(600, 690)),
            turn=float(rng.uniform(-24, 24)),
            tilt=float(rng.uniform(-2.5, 2.5)),
        )

    def nearer(self, share: float) -> "_Pose":
        grown = 0.55 + 0.45 * share
        width, y = self.width * grown, 400 + (self.y - 400) * grown
        return _Pose(width, WIDTH / 2 + (self.x - WIDTH / 2) * grown, y, self.turn, self.tilt)

    def homography(self) -> npt.NDArray[np.float32]:
        """Return the homography [3, 3] from the car's drawing to the picture, in this pose."""
        scale = self.width / SHEET_WIDTH
        half, tall = self.width / 2, SHEET_HEIGHT * scale
        near = float(np.sin(np.deg2rad(self.turn)))
        narrowed = half * float(np.cos(np.deg2rad(self.turn)))
        left, right = 1 + 0.11 * near, 1 - 0.11 * near
        lean = float(np.tan(np.deg2rad(self.tilt))) * half
        corners = np.array(
            [
                [self.x - narrowed * 0.97, self.y - tall * left - lean],
                [self.x + narrowed * 0.97, self.y - tall * right + lean],
                [self.x + narrowed, self.y + 10 * (1 - right) * 5 + lean],
                [self.x - narrowed, self.y + 10 * (1 - left) * 5 - lean],
            ],
            np.float32,
        )
        sheet = np.array(
            [[0, 0], [SHEET_WIDTH, 0], [SHEET_WIDTH, SHEET_HEIGHT], [0, SHEET_HEIGHT]], np.float32
        )
        return cv2.getPerspectiveTransform(sheet, corners).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Stage:
    """Everything that stays the same between the frames of a film."""

    street: Picture
    car: DrawnCar
    plate: DrawnPlate
    view: View
    light: Light
    signal: Signal
    pose: _Pose

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        *,
        text: str | None,
        kind: PlateKind,
        view: View | None,
        light: Light | None,
        signal: Signal,
        fonts: tuple[str, ...],
    ) -> "_Stage":
        drawn = draw_plate(rng, kind=kind, text=text, fonts=fonts)
        worn = DrawnPlate(soil(drawn.picture, rng, strength=0.12), drawn.text, kind)
        wide, tall = FORMS[kind].size
        chosen = view or list(View)[int(rng.integers(2))]
        return cls(
            street=street(rng, signal=signal),
            car=draw_car(
                rng,
                chosen,
                plate_height=tall * SHEET_PER_MILLIMETRE,
                plate_width=wide * SHEET_PER_MILLIMETRE,
            ),
            plate=worn,
            view=chosen,
            light=light or list(Light)[int(rng.choice(3, p=[0.6, 0.2, 0.2]))],
            signal=signal,
            pose=_Pose.random(rng),
        )


def _shoot(stage: _Stage, pose: _Pose, rng: np.random.Generator) -> Scene:
    turned = pose.homography()
    scene = _with_car(stage, pose, turned)
    corners = _moved(np.array(stage.car.plate, np.float32), turned)
    if stage.light is not Light.DAY:
        scene = _darkened(scene, stage.light)
    plate_light = {Light.DAY: 0.97, Light.DUSK: 0.8, Light.NIGHT: 0.72}[stage.light]
    scene = paste_plate(scene, stage.plate, corners, light=plate_light)
    if stage.light is not Light.DAY:
        _lamps(stage, scene, turned, pose)
    outline = stage.car.outline
    edges = np.array(
        [
            [outline[0], outline[1]],
            [outline[2], outline[1]],
            [outline[2], outline[3]],
            [outline[0], outline[3]],
        ],
        np.float32,
    )
    truth = Truth(
        text=stage.plate.text,
        kind=stage.plate.kind,
        corners=tuple((round(float(x), 2), round(float(y), 2)) for x, y in corners),
        vehicle=_box_around(_moved(edges, turned)),
        view=stage.view,
        light=stage.light,
        signal=stage.signal,
    )
    return Scene(_photographed(scene, stage.light, rng), truth)


def _with_car(stage: _Stage, pose: _Pose, turned: npt.NDArray[np.float32]) -> Picture:
    scene = stage.street.copy()
    shadow = np.zeros(scene.shape[:2], np.uint8)
    brush.ellipse(shadow, (pose.x, pose.y - 6), (pose.width * 0.53, pose.width * 0.075), 255)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 14).astype(np.uint8)
    brush.shade(scene, shadow, np.full(scene.shape[:2], 0.28, np.float32))
    size = (WIDTH, HEIGHT)
    car = cv2.warpPerspective(stage.car.sheet, turned, size, flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(stage.car.mask, turned, size, flags=cv2.INTER_AREA)
    share = mask.astype(np.float32)[..., None] / 255
    blended: Picture = (scene * (1 - share) + car * share).astype(np.uint8)
    return blended


def _darkened(scene: Picture, light: Light) -> Picture:
    """Evening: less light, more blue, and what is bright stays so a little."""
    amount = _NIGHT if light is Light.NIGHT else 0.55
    tint = np.array([1.12, 0.98, 0.88], np.float32)
    dark: Picture = np.clip(scene.astype(np.float32) * amount * tint, 0, 255).astype(np.uint8)
    return dark


def _lamps(stage: _Stage, scene: Picture, turned: npt.NDArray[np.float32], pose: _Pose) -> None:
    """What shines by itself: the car's lamps, street lamps far away, the traffic light."""
    rear = stage.view is View.REAR
    colour = (50, 40, 235) if rear else (215, 235, 245)
    for x, y in _moved(np.array(stage.car.lamps, np.float32), turned):
        radius = pose.width * (0.055 if rear else 0.06)
        brush.glow(scene, (float(x), float(y)), radius, colour, 0.85)
    for index in range(6):
        place = (60.0 + index * 235 + (index % 2) * 40, 70.0 + (index % 3) * 34)
        brush.glow(scene, place, 16, (150, 205, 245), 0.8)
    if stage.signal is not Signal.NONE:
        bright = stage.street[:260, 1000:].astype(np.int32)
        distance = np.abs(bright - np.array(lit_lamp(stage.signal))).sum(2)
        row, column = np.unravel_index(int(distance.argmin()), distance.shape)
        brush.glow(scene, (1000.0 + float(column), float(row)), 26, lit_lamp(stage.signal), 0.9)


def _photographed(scene: Picture, light: Light, rng: np.random.Generator) -> Picture:
    """What the lens and the sensor add: softness, a darker edge, noise."""
    shot = cv2.GaussianBlur(scene, (0, 0), float(rng.uniform(0.35, 0.7))).astype(np.float32)
    rows, columns = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    shot *= (1 - 0.16 * (rows**2 + columns**2) / 2)[..., None].astype(np.float32)
    noise = {Light.DAY: 2.2, Light.DUSK: 3.5, Light.NIGHT: 5.0}[light]
    shot += rng.standard_normal(shot.shape, np.float32) * noise
    return np.clip(shot, 0, 255).astype(np.uint8)


def _moved(points: npt.NDArray[np.float32], turned: npt.NDArray[np.float32]) -> Corners:
    moved: Corners = cv2.perspectiveTransform(points[None], turned)[0].astype(np.float32)
    return moved


def _box_around(points: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    low = np.clip(points.min(0), 0, [WIDTH, HEIGHT])
    high = np.clip(points.max(0), 0, [WIDTH, HEIGHT])
    wide, tall = high - low
    return (
        round(float(low[0]), 2),
        round(float(low[1]), 2),
        round(float(wide), 2),
        round(float(tall), 2),
    )
