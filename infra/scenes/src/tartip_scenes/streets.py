"""Draws streets: sky, mountains, houses, trees, a road with markings, optionally a traffic light.

The camera is above the right lane. The vanishing point is in the upper part of the picture.
"""

from enum import StrEnum
from typing import Final

import cv2
import numpy as np

from tartip_scenes import brush
from tartip_scenes.brush import Colour, Picture

WIDTH: Final = 1280
HEIGHT: Final = 720


class Signal(StrEnum):
    """What a traffic light in the picture shows. NONE means that there is no traffic light."""

    NONE = "none"
    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


_LAMPS: Final[dict[Signal, tuple[int, Colour]]] = {
    Signal.RED: (0, (40, 40, 250)),
    Signal.YELLOW: (1, (40, 200, 255)),
    Signal.GREEN: (2, (110, 230, 60)),
}
_HOUSES: Final[tuple[Colour, ...]] = (
    (150, 160, 172),
    (120, 135, 158),
    (168, 176, 180),
    (110, 118, 128),
    (140, 150, 190),
)


def street(rng: np.random.Generator, *, signal: Signal) -> Picture:
    """Draw a random street by day, without vehicles, as BGR [HEIGHT, WIDTH, 3]."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    horizon = int(rng.integers(150, 230))
    vanishing = float(rng.uniform(0.42, 0.58) * WIDTH)
    _sky(rng, picture, horizon)
    _mountains(rng, picture, horizon)
    _houses(rng, picture, horizon, vanishing)
    _ground(rng, picture, horizon, vanishing)
    _trees(rng, picture, horizon, vanishing)
    if signal is not Signal.NONE:
        _traffic_light(rng, picture, signal)
    return picture


def lit_lamp(signal: Signal) -> Colour:
    return _LAMPS[signal][1]


def _sky(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    zenith = np.array([rng.integers(190, 235), rng.integers(160, 200), rng.integers(120, 170)])
    low = np.array([225, 218, 208]) + rng.integers(-12, 13, 3)
    share = brush.down(horizon + 20, [(0, 0), (1, 1)])[..., None]
    picture[: horizon + 20] = (zenith * (1 - share) + low * share).astype(np.uint8)
    clouds = brush.grain(rng, (horizon + 20, WIDTH), size=110, strength=14)
    sky = picture[: horizon + 20]
    brush.add(sky, np.maximum(clouds, 0))


def _mountains(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    """The ridge behind the city, with snow above."""
    columns = np.linspace(0, WIDTH, 60)
    ridge = np.cumsum(rng.normal(0, 9, 60))
    ridge = horizon - 45 - (ridge - ridge.min()) * 0.8 - rng.uniform(0, 30)
    top = [(float(x), float(y)) for x, y in zip(columns, ridge, strict=True)]
    tint = int(rng.integers(150, 190))
    brush.polygon(
        picture, [*top, (WIDTH, horizon + 8), (0, horizon + 8)], (tint + 12, tint, tint - 12)
    )
    snow = [(x, y + 10 + float(rng.uniform(0, 14))) for x, y in reversed(top)]
    brush.polygon(picture, [*top, *snow], (232, 228, 224))


def _houses(rng: np.random.Generator, picture: Picture, horizon: int, vanishing: float) -> None:
    """Blocks on both sides, taller towards the edges of the picture."""
    for side in (-1, 1):
        x = vanishing + side * rng.uniform(70, 130)
        while 0 < x < WIDTH:
            share = abs(x - vanishing) / WIDTH
            wide = rng.uniform(50, 110) * (0.6 + 2 * share)
            tall = rng.uniform(50, 120) * (0.5 + 2.4 * share)
            left, right = sorted((x, x + side * wide))
            base = horizon + 12 + share * 130
            colour = _HOUSES[int(rng.integers(len(_HOUSES)))]
            _house(rng, picture, (left, horizon - tall, right, base), colour)
            x += side * (wide + rng.uniform(2, 40))


def _house(
    rng: np.random.Generator,
    picture: Picture,
    box: tuple[float, float, float, float],
    colour: Colour,
) -> None:
    left, top, right, bottom = box
    brush.polygon(picture, [(left, top), (right, top), (right, bottom), (left, bottom)], colour)
    pane = (int(colour[0] * 0.55), int(colour[1] * 0.5), int(colour[2] * 0.45))
    step = max(9.0, (right - left) / rng.integers(4, 8))
    y = top + step * 0.6
    while y < bottom - step:
        x = left + step * 0.3
        while x < right - step * 0.6:
            tone = float(rng.uniform(0.7, 1.5))
            shade = tuple(int(min(255, value * tone)) for value in pane)
            corners = [
                (x, y),
                (x + step * 0.5, y),
                (x + step * 0.5, y + step * 0.6),
                (x, y + step * 0.6),
            ]
            brush.polygon(picture, corners, (shade[0], shade[1], shade[2]))
            x += step
        y += step * 1.15


def _ground(rng: np.random.Generator, picture: Picture, horizon: int, vanishing: float) -> None:
    verge = (int(rng.integers(95, 125)), int(rng.integers(120, 145)), int(rng.integers(115, 150)))
    brush.polygon(picture, [(0, horizon), (WIDTH, horizon), (WIDTH, HEIGHT), (0, HEIGHT)], verge)
    tone = int(rng.integers(88, 122))
    near = (vanishing - 1000, vanishing + 960)
    far = (vanishing - 26, vanishing + 24)
    road = [(far[0], horizon), (far[1], horizon), (near[1], HEIGHT), (near[0], HEIGHT)]
    for spread, colour in ((70, (150, 152, 155)), (0, (tone + 2, tone, tone - 2))):
        outline = [(x + spread * (1 if x > vanishing else -1) * (y > horizon), y) for x, y in road]
        brush.polygon(picture, outline, colour)
    texture = brush.grain(rng, (HEIGHT - horizon, WIDTH), size=3, strength=3.5)
    texture += brush.grain(rng, (HEIGHT - horizon, WIDTH), size=60, strength=4)
    brush.add(picture[horizon:], texture)
    _markings(rng, picture, horizon, vanishing)


def _markings(rng: np.random.Generator, picture: Picture, horizon: int, vanishing: float) -> None:
    white = (215, 218, 220)
    for lane, dashed in ((-0.48, False), (-0.16, True), (0.17, True), (0.47, False)):
        begin = 0.04
        while begin < 1.0:
            end = min(1.0, begin * (1.35 if dashed else 1.6) + (0.02 if dashed else 0.05))
            points = []
            for share, edge in ((begin, -1), (begin, 1), (end, 1), (end, -1)):
                x = vanishing + lane * share * 1960 + edge * (1 + 9 * share)
                points.append((x, horizon + share * (HEIGHT - horizon)))
            brush.polygon(picture, points, white)
            begin = end * (1.5 if dashed else 1.0) + (0.03 if dashed else 0.001)
    if rng.random() < 0.5:
        y = horizon + (HEIGHT - horizon) * float(rng.uniform(0.5, 0.8))
        near = (y - horizon) / (HEIGHT - horizon) * 900
        far = near * 1.02
        stop_line = [(-near, y), (near, y), (far, y + 12), (-far, y + 12)]
        brush.polygon(picture, [(vanishing + x, row) for x, row in stop_line], (205, 208, 210))


def _trees(rng: np.random.Generator, picture: Picture, horizon: int, vanishing: float) -> None:
    for _ in range(int(rng.integers(3, 9))):
        side = 1 if rng.random() < 0.5 else -1
        share = float(rng.uniform(0.15, 0.5))
        x = vanishing + side * share * WIDTH * 1.05
        base = horizon + share * 230
        tall = 60 + share * 380
        brush.line(picture, (x, base), (x, base - tall * 0.6), (60, 72, 85), int(3 + share * 14))
        for _ in range(26):
            leaf = (
                int(rng.integers(40, 75)),
                int(rng.integers(80, 130)),
                int(rng.integers(55, 105)),
            )
            centre = (
                x + float(rng.normal(0, tall * 0.16)),
                base - tall * float(rng.uniform(0.5, 1.0)),
            )
            brush.ellipse(picture, centre, (tall * 0.09, tall * 0.075), leaf)


def _traffic_light(rng: np.random.Generator, picture: Picture, signal: Signal) -> None:
    x, top, scale = (
        float(rng.uniform(1050, 1180)),
        float(rng.uniform(30, 70)),
        float(rng.uniform(0.9, 1.2)),
    )
    wide, lamp = 58 * scale, 19 * scale
    brush.line(picture, (x, top + 40), (x, HEIGHT * 0.8), (92, 92, 96), int(11 * scale))
    brush.rounded(picture, (x - wide / 2, top, x + wide / 2, top + 164 * scale), 12, (38, 36, 34))
    for place in range(3):
        centre = (x, top + (32 + 50 * place) * scale)
        brush.ellipse(picture, centre, (lamp, lamp), (58, 54, 52))
        if place == _LAMPS[signal][0]:
            colour = _LAMPS[signal][1]
            brush.ellipse(picture, centre, (lamp, lamp), colour)
            brush.ellipse(picture, centre, (lamp * 0.45, lamp * 0.45), (235, 240, 250))
            brush.glow(picture, centre, lamp * 1.4, colour, 0.5)
    cv2.GaussianBlur(
        picture[:, int(x - wide) : int(x + wide)],
        (3, 3),
        0,
        dst=picture[:, int(x - wide) : int(x + wide)],
    )
