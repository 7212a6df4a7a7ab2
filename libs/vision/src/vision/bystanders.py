"""Finds faces and plates in a photograph, so that they can be made unrecognisable in a copy.

Rather a box too many than a person too few: plates are not read, so that what nobody can read is
found too. A photograph is looked at as a whole and in parts that overlap, each at the size at which
the detectors see most.
"""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from vision.arrays import Picture
from vision.boxes import Box
from vision.detector import Detector, Models
from vision.faces.detector import FaceDetector
from vision.faces.recognition import LOOK_SIDE, MOST_FACES
from vision.plates.candidates import MOST_CANDIDATES

LARGEST_SIDE: Final = 1920
"""A larger photograph is looked at in this size, in pixels of its longer side. The copy is smaller
still, so that what is too small to be found is too small to be recognised."""
PART: Final = 0.6
"""The width and height of a part, as a share of what it is a part of."""
DEPTH_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class Bystanders:
    """Boxes of faces and plates, in pixels of the picture that was looked at."""

    faces: tuple[Box, ...] = ()
    plates: tuple[Box, ...] = ()

    def __add__(self, other: "Bystanders") -> "Bystanders":
        return Bystanders(self.faces + other.faces, self.plates + other.plates)

    def scaled(self, factor: float) -> "Bystanders":
        """Return the boxes with all lengths multiplied by `factor`."""
        faces, plates = (
            tuple(
                Box(box.x * factor, box.y * factor, box.width * factor, box.height * factor)
                for box in boxes
            )
            for boxes in (self.faces, self.plates)
        )
        return Bystanders(faces, plates)


@dataclass(frozen=True, slots=True)
class View:
    """A part of a picture: its pixels (BGR), where it begins, and how often the picture was divided
    to get it."""

    picture: Picture
    left: int = 0
    top: int = 0
    depth: int = 0

    @property
    def box(self) -> Box:
        height, width = self.picture.shape[:2]
        return Box(self.left, self.top, width, height)

    def parts(self) -> list["View"]:
        """Return four parts that overlap, so that what the edge of one cuts is whole in another."""
        height, width = self.picture.shape[:2]
        tall, wide = math.ceil(height * PART), math.ceil(width * PART)
        return [
            View(
                self.picture[top : top + tall, left : left + wide],
                self.left + left,
                self.top + top,
                self.depth + 1,
            )
            for top in (0, height - tall)
            for left in (0, width - wide)
        ]


def reduced(picture: Picture) -> tuple[Picture, float]:
    """Return a picture with a longer side of at most `LARGEST_SIDE` pixels, and the factor by which
    it was reduced (1 or less)."""
    height, width = picture.shape[:2]
    factor = min(1.0, LARGEST_SIDE / max(height, width))
    if factor == 1.0:
        return picture, 1.0
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), factor


def first_views(picture: Picture) -> list[View]:
    """Return the views with which the look at a picture begins."""
    whole = View(picture)
    return [whole, *whole.parts()] if max(picture.shape[:2]) > LOOK_SIDE else [whole]


class BystanderDetector:
    def __init__(self, models: Models) -> None:
        self._plates = Detector(models)
        self._faces = FaceDetector(models)

    async def look(self, view: View) -> tuple[Bystanders, list[View]]:
        """Return what is found in a view, in pixels of the whole picture, and the views that are
        still to be looked at because there may be more: a look tells only so many faces and plates.
        Where the picture is divided no further, the view itself counts as a face.

        Errors of the models, timeouts included, are raised alone or in an ExceptionGroup.
        """
        faces = [face.box for face in await self._faces.detect(view.picture)]
        plates = [found.box for found in await self._plates.plate_candidates(view.picture)]
        found = Bystanders(_moved(faces, view), _moved(plates, view))
        if len(faces) < MOST_FACES and len(plates) < MOST_CANDIDATES:
            return found, []
        if view.depth < DEPTH_MAX:
            return found, view.parts()
        return found + Bystanders(faces=(view.box,)), []


def _moved(boxes: list[Box], view: View) -> tuple[Box, ...]:
    return tuple(Box(box.x + view.left, box.y + view.top, box.width, box.height) for box in boxes)
