"""Moves boxes from one frame to the next by the optical flow inside them.

A model then need not run on every frame: its boxes are moved until it runs again. A box whose
pixels are lost, for instance behind a bridge, is dropped. A box with a low score, which is often a
false detection, is dropped as well.
"""

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.arrays import Picture
from vision.boxes import Box
from vision.objects import DetectedObject

WORKING_WIDTH: Final = 480
LEAST_SCORE: Final = 0.25
POINTS_A_SIDE: Final = 5
INNER: Final = (0.2, 0.8)
"""Tracked points lie in the inner part of a box, away from the background."""
LEAST_POINTS: Final = 5
RETURN_PIXELS: Final = 1.0
"""A point counts if tracking it backward returns within this distance of its start."""
WINDOW: Final = (15, 15)
LEVELS: Final = 3

Grey = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]


class OpticalFlowPropagator:
    """Moves the boxes of one camera along with the picture.

    Frames must be added in the order of their time.
    """

    def __init__(self) -> None:
        self._grey: Grey | None = None
        self._boxes: list[DetectedObject] = []

    def add(self, picture: Picture, fresh: Iterable[DetectedObject] | None) -> list[DetectedObject]:
        """Add a frame (BGR) and return its boxes.

        `fresh` are the boxes of a model that ran on the frame. If it is None, the previous boxes
        are returned, moved by optical flow.
        """
        before, scale = self._grey, WORKING_WIDTH / picture.shape[1]
        self._grey = _grey(picture, scale)
        if fresh is not None:
            self._boxes = list(fresh)
        elif before is not None and self._boxes:
            lasting = [detected for detected in self._boxes if detected.score >= LEAST_SCORE]
            self._boxes = _moved(lasting, before, self._grey, scale)
        return self._boxes


def _moved(
    boxes: list[DetectedObject], before: Grey, now: Grey, scale: float
) -> list[DetectedObject]:
    if not boxes:
        return []
    start = np.concatenate([_grid(detected.box, scale) for detected in boxes])
    end, tracked = _followed(before, now, start)
    back, returned = _followed(now, before, end)
    good = tracked & returned & (np.abs(back - start).max(1) < RETURN_PIXELS)
    steps = (end - start).reshape(len(boxes), -1, 2) / scale
    moved = []
    for detected, own, sure in zip(boxes, steps, good.reshape(len(boxes), -1), strict=True):
        if sure.sum() < LEAST_POINTS:
            continue
        right, down = np.median(own[sure], 0).tolist()
        box = detected.box
        there = Box(box.x + right, box.y + down, box.width, box.height)
        moved.append(DetectedObject(detected.label, detected.score, there))
    return moved


def _followed(before: Grey, now: Grey, points: Points) -> tuple[Points, npt.NDArray[np.bool_]]:
    nowhere = np.zeros_like(points[:, None])  # overwritten; required by OpenCV's types
    found, tracked, _ = cv2.calcOpticalFlowPyrLK(
        before, now, points[:, None], nowhere, winSize=WINDOW, maxLevel=LEVELS
    )
    return np.asarray(found, np.float32)[:, 0], np.asarray(tracked)[:, 0] == 1


def _grid(box: Box, scale: float) -> Points:
    shares = np.linspace(*INNER, POINTS_A_SIDE)
    xs, ys = np.meshgrid(box.x + shares * box.width, box.y + shares * box.height)
    return np.asarray(np.stack([xs.ravel(), ys.ravel()], 1) * scale, np.float32)


def _grey(picture: Picture, scale: float) -> Grey:
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
