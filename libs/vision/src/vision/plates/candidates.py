"""Possible plates: the plate detector's inputs, and plate candidates from its output.

Performs no I/O. Corners are in pixels of the original picture.
"""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from vision.arrays import Floats, Picture
from vision.boxes import Box, nms
from vision.objects import VEHICLES, DetectedObject
from vision.scaling import LARGEST_SIDE, LETTERBOX_GREY, Scaled, scaled_batch

PLATE_STRIDE: Final = 8
PLATE_SIDES: Final = (320, 640, LARGEST_SIDE)
"""A plate that fills the picture is detected at the smallest size, a distant one at the largest."""
CROP_SIDE: Final = 384
MOST_CROPS: Final = 4
SMALLEST_CROP: Final = 40
PLATE_THRESHOLD: Final = 0.2
REFINED_THRESHOLD: Final = 0.2
"""A low threshold also for the second inference: the reader is better at rejecting non-plates."""
PLATE_OVERLAP: Final = 0.25
MOST_CANDIDATES: Final = 8
REFINING_SIZE: Final = (256, 160)
REFINING_REACH: Final = 2.2
"""The width of the window for the second inference, in widths of the candidate."""
REFINING_SHIFT: Final = 0.35
CUT_OUT_HEIGHT: Final = 160
CUT_OUT_SCORE: Final = 0.5
CUT_OUT_ASPECTS: Final = (1.0, 8.0)


@dataclass(frozen=True, slots=True)
class PlateCandidate:
    """A possible plate. `corners` are float32 [4, 2], clockwise from the top left; `score` is 0 to
    1."""

    corners: Floats
    score: float

    @property
    def box(self) -> Box:
        """The upright box around the corners."""
        return Box.around(self.corners)


def for_plates(picture: Picture, small: Picture, *, side: int) -> Scaled:
    """The whole picture for the plate detector, scaled so that its longer side has `side` pixels.

    `small` is a reduced copy of the picture (see `shrunk`); the result is scaled from it.
    """
    return scaled_batch([picture], [(0.0, 0.0)], side=side, multiple=16, small=small)


def vehicle_crops(picture: Picture, objects: list[DetectedObject]) -> Scaled | None:
    """Cut out up to four vehicles for the plate detector: the first ones at least 40 pixels wide
    and high.

    Returns None if there is no such vehicle.
    """
    height, width = picture.shape[:2]
    crops, origins = [], []
    for vehicle in objects:
        box = vehicle.box.within(width=width, height=height)
        if vehicle.label not in VEHICLES or min(box.width, box.height) < SMALLEST_CROP:
            continue
        left, top = int(box.x), int(box.y)
        right, bottom = math.ceil(box.x + box.width), math.ceil(box.y + box.height)
        crops.append(picture[top:bottom, left:right])
        origins.append((float(left), float(top)))
    if not crops:
        return None
    return scaled_batch(crops[:MOST_CROPS], origins[:MOST_CROPS], side=CROP_SIDE, multiple=16)


def plate_candidates(cells: Floats, scaled: Scaled) -> list[PlateCandidate]:
    """The plate candidates in the plate detector's output for a batch.

    `cells` [n, 9, rows, columns] is the output for `scaled`; the channels are the score and the
    four corners (x, y), as distances from the cell's centre in cells. Duplicates are not removed.
    """
    found = []
    for image, (scale, origin) in enumerate(zip(scaled.scales, scaled.origins, strict=True)):
        rows, columns = np.nonzero(cells[image, 0] > PLATE_THRESHOLD)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            offsets = cells[image, 1:, row, column].reshape(4, 2)
            middle = np.array([column + 0.5, row + 0.5])
            corners = (offsets + middle) * PLATE_STRIDE / scale + origin
            score = float(cells[image, 0, row, column])
            found.append(PlateCandidate(corners.astype(np.float32), score))
    return found


def refining(picture: Picture, candidates: list[PlateCandidate]) -> Scaled:
    """Cut out a window around each candidate, for a second inference.

    Windows are scaled so that the plate has the size at which it is detected best.
    """
    width, height = REFINING_SIZE
    images, scales, origins = [], [], []
    for candidate in candidates:
        box = candidate.box
        reach = max(box.width, 1.6 * box.height) * REFINING_REACH
        scale = width / max(reach, 1.0)
        left = box.x + box.width / 2 - reach / 2
        top = box.y + box.height / 2 - height / scale / 2
        placed = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        grey = (LETTERBOX_GREY,) * 3
        images.append(
            cv2.warpAffine(picture, placed, REFINING_SIZE, flags=method, borderValue=grey)
        )
        scales.append((scale, scale))
        origins.append((left, top))
    return Scaled(np.stack(images).astype(np.uint8), tuple(scales), tuple(origins))


def refined(
    cells: Floats, scaled: Scaled, candidates: list[PlateCandidate]
) -> list[PlateCandidate]:
    """Improve the candidates by a second inference on the windows `scaled` (see `refining`).

    A candidate that was detected again gets its new corners and the mean of its old and new score;
    any other keeps its corners, with half its score. Duplicates and candidates below
    `REFINED_THRESHOLD` are dropped. `cells` is the plate detector's output for the windows.
    """
    result = []
    for index, candidate in enumerate(candidates):
        window = Scaled(scaled.images, (scaled.scales[index],), (scaled.origins[index],))
        again = [
            detected
            for detected in plate_candidates(cells[index : index + 1], window)
            if _near(detected, candidate)
        ]
        if not again:
            result.append(PlateCandidate(candidate.corners, candidate.score / 2))
            continue
        best = max(again, key=lambda detected: detected.score)
        result.append(PlateCandidate(best.corners, (best.score + candidate.score) / 2))
    return distinct([detected for detected in result if detected.score >= REFINED_THRESHOLD])


def distinct(candidates: list[PlateCandidate]) -> list[PlateCandidate]:
    """The candidates without duplicates, highest score first, at most eight."""
    boxes = [candidate.box for candidate in candidates]
    scores = [candidate.score for candidate in candidates]
    remaining = nms(boxes, scores, overlap=PLATE_OVERLAP)
    return [candidates[index] for index in remaining[:MOST_CANDIDATES]]


def whole_as_plate(picture: Picture) -> list[PlateCandidate]:
    """Return the whole picture as the only candidate if the picture may be a crop of a plate.

    A crop of a plate is at most 160 pixels high and one to eight times as wide as high. For other
    pictures, the result is empty.
    """
    height, width = picture.shape[:2]
    narrowest, widest = CUT_OUT_ASPECTS
    if height > CUT_OUT_HEIGHT or not narrowest <= width / height <= widest:
        return []
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return [PlateCandidate(corners, CUT_OUT_SCORE)]


def _near(detected: PlateCandidate, candidate: PlateCandidate) -> bool:
    shift = float(np.linalg.norm(detected.corners.mean(0) - candidate.corners.mean(0)))
    return shift <= REFINING_SHIFT * max(detected.box.width, candidate.box.width)
