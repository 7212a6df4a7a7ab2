"""Draws crops for training the Kazakh reader: rendered plates, cut out like detected plates.

Everything is drawn; no photograph is needed. Crops are rectified by the same code as in service,
with corners that have the detector's usual error. Each crop shows one line of text: a plate of one
line, or one row of a plate of two rows.
"""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from exposure import lit, photographed
from lines import CHARACTERS, LONGEST
from poses import turned
from tartip_scenes import brush
from tartip_scenes.forms import (
    FORMS,
    KAZAKH_KINDS,
    ONE_LINE_KAZAKH_KINDS,
    TWO_ROW_KAZAKH_KINDS,
    PlateKind,
    random_text,
)
from tartip_scenes.plates import DrawnPlate, draw_plate
from tartip_scenes.wear import paste_plate, soil
from vision.plates.rows import FIRST_ROW_VIEW, row_pictures
from vision.plates.views import (
    MORE_VIEWS,
    WHOLE,
    for_kazakh_reader,
    rectified,
)

Picture = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float32]

FOREIGN_KINDS: Final = tuple(
    kind for kind in PlateKind if kind not in KAZAKH_KINDS and not FORMS[kind].rows
)
FOREIGN_SHARE: Final = 0.14
ANY_TEXT_SHARE: Final = 0.12
"""The share of plates whose form is filled with any letters and digits, so that the reader trusts
the picture more than the form."""
ROWS_SHARE: Final = 0.12
NARROWEST, WIDEST = 56.0, 330.0
"""The range of widths of a plate in the camera's picture, in pixels."""
CORNER_ERROR: Final = 0.05
"""Mean distance of a detected corner from the true one, as a share of the plate's width."""
MARGIN: Final = 0.35
LEAST_CONTRAST: Final = 9.0
"""Standard deviation of the grey levels below which a crop is one grey blot."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A crop as the reader's input (grey, [32, 160, 1]), its true text, and the plate's form."""

    picture: Picture
    text: str
    kind: PlateKind


def crop(rng: np.random.Generator, fonts: tuple[str, ...]) -> Crop:
    """Draw one crop of a plate of a random form, with enough contrast to be read."""
    while True:
        drawn = _crop(rng, fonts)
        if float(drawn.picture.std()) >= LEAST_CONTRAST:
            return drawn


def _crop(rng: np.random.Generator, fonts: tuple[str, ...]) -> Crop:
    kind, text = _wanted(rng)
    plate = draw_plate(rng, kind=kind, text=text, fonts=fonts)
    worn = replace(plate, picture=soil(plate.picture, rng, strength=float(rng.uniform(0, 0.6))))
    scene, corners = _before_camera(rng, worn)
    found = corners + _detector_error(rng, corners)
    if FORMS[kind].rows:
        flat, shown = _row(rng, scene, found, plate)
    else:
        view = WHOLE if rng.random() < 0.7 else MORE_VIEWS[0]
        flat, shown = rectified(scene, found, view), plate.text
    return Crop(for_kazakh_reader([flat])[0], shown, kind)


def _wanted(rng: np.random.Generator) -> tuple[PlateKind, str | None]:
    """A form, and its text where it is not one of the form's own."""
    chance = rng.random()
    if chance < FOREIGN_SHARE:
        return FOREIGN_KINDS[int(rng.integers(len(FOREIGN_KINDS)))], None
    if chance < FOREIGN_SHARE + ROWS_SHARE:
        return TWO_ROW_KAZAKH_KINDS[int(rng.integers(len(TWO_ROW_KAZAKH_KINDS)))], None
    kind = PlateKind.PERSON
    if rng.random() > 0.3:
        kind = ONE_LINE_KAZAKH_KINDS[int(rng.integers(len(ONE_LINE_KAZAKH_KINDS)))]
    if chance > 1 - ANY_TEXT_SHARE:
        length = len(random_text(kind, rng))
        return kind, "".join(str(mark) for mark in rng.choice(list(CHARACTERS), length))
    return kind, None


def _before_camera(rng: np.random.Generator, plate: DrawnPlate) -> tuple[Picture, Corners]:
    """The plate on something painted, as a camera sees it, and where its corners are."""
    height, width = plate.picture.shape[:2]
    wide = float(np.exp(rng.uniform(np.log(NARROWEST), np.log(WIDEST))))
    while True:
        corners = turned(rng, (width, height), wide=wide * min(1.0, width / height / 3))
        spread = np.ptp(corners, axis=0)
        if spread[0] > 0.45 * wide * min(1.0, width / height / 3):
            break
    margin = MARGIN * spread.max()
    corners = corners - corners.min(0) + margin
    size = np.ceil(spread + 2 * margin).astype(int)
    scene = _paint(rng, (int(size[1]), int(size[0])))
    scene = paste_plate(scene, lit(rng, plate), corners)
    return photographed(rng, scene), corners.astype(np.float32)


def _paint(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Bumpers, frames and edges in any colour."""
    tone = rng.integers(5, 230) + rng.integers(-30, 31, 3)
    scene = np.full((*shape, 3), np.clip(tone, 0, 255), np.uint8)
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(-0.2, 1, 2) * [shape[1], shape[0]]
        wide, tall = rng.uniform(0.05, 1, 2) * [shape[1], shape[0]]
        colour = int(rng.integers(0, 256))
        brush.rounded(scene, (x, y, x + wide, y + tall * 0.5), 4, (colour, colour, colour))
    brush.add(scene, brush.grain(rng, shape, size=12, strength=8))
    return cv2.blur(scene, (3, 3)).astype(np.uint8)


def _detector_error(rng: np.random.Generator, corners: Corners) -> Corners:
    """Half of it moves the whole plate, half each corner; across more than along the height."""
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    tall = float(np.linalg.norm(corners[3] - corners[0]))
    severity = wide * CORNER_ERROR * rng.uniform(0.2, 1.5)
    room = np.array([severity, min(severity, 0.16 * tall)])
    shift = rng.normal(0, 0.5, 2) * room
    error: Corners = (shift + rng.normal(0, 0.5, (4, 2)) * room).astype(np.float32)
    return error


def _row(
    rng: np.random.Generator, scene: Picture, corners: Corners, plate: DrawnPlate
) -> tuple[Picture, str]:
    """One row of a plate of two, parted where the rows part, or nearly there."""
    parted = rng.uniform(0.44, 0.56)
    upper, lower = row_pictures(scene, corners, ((0.0, parted), (parted, 1.0)), FIRST_ROW_VIEW)
    above = _characters_above(plate)
    first = rng.random() < 0.5
    return (upper, plate.text[:above]) if first else (lower, plate.text[above:])


def _characters_above(plate: DrawnPlate) -> int:
    """Kazakh plates of two rows bear the region and the letters above."""
    return sum(not place.isdigit() for place in plate.text) + 2


assert max(sum(map(len, FORMS[kind].groups)) for kind in PlateKind) <= LONGEST
