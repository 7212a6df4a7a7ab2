"""Objects in a picture: the object detector's input, and labelled boxes from its output.

Performs no I/O. Boxes are in pixels of the original picture.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from vision.arrays import Floats, Picture
from vision.boxes import Box, nms
from vision.scaling import Scaled, scaled_batch

OBJECT_SIDE: Final = 416
OBJECT_STRIDES: Final = (8, 16, 32)
OBJECT_THRESHOLD: Final = 0.4
VEHICLE_THRESHOLD: Final = 0.3
OBJECT_OVERLAP: Final = 0.6
COCO_LABELS: Final = {
    0: "person",
    1: "bicycle",
    2: "car",
    3: "motorcycle",
    5: "bus",
    6: "train",
    7: "truck",
    24: "backpack",
    26: "handbag",
    28: "suitcase",
}
"""The labels used, by class code; other classes were false on streets (kites, refrigerators)."""
VEHICLES: Final = frozenset({"car", "motorcycle", "bus", "train", "truck"})
THINGS: Final = frozenset({"bicycle", "backpack", "handbag", "suitcase"})


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """A labelled box with the detector's score, 0 to 1."""

    label: str
    score: float
    box: Box


def for_objects(picture: Picture, small: Picture) -> Scaled:
    """The object detector's input for a picture: scaled, and padded with grey.

    `small` is the reduced copy that `shrunk` made of the picture.
    """
    return scaled_batch([picture], [(0.0, 0.0)], side=OBJECT_SIDE, multiple=32, small=small)


def objects_of(anchors: Floats, scaled: Scaled) -> list[DetectedObject]:
    """The objects in the detector's output for one picture (`scaled`), highest score first.

    `anchors` [a, 6] is this output, with a row for each fixed point of the detector. A row begins
    with the distances from the point to the left, upper, right and lower edge of a box, in pixels
    of the input. The box's score and class code follow.
    """
    height, width = scaled.images.shape[1:3]
    centres = np.concatenate([_centres(height, width, stride) for stride in OBJECT_STRIDES])
    scale = np.array(scaled.scales[0] * 2, np.float32)
    found: list[DetectedObject] = []
    for code, label in COCO_LABELS.items():
        chosen = (anchors[:, 5] == code) & (anchors[:, 4] > threshold_of(label))
        middle, sides = centres[chosen], anchors[chosen, :4]
        edges = np.concatenate([middle - sides[:, :2], middle + sides[:, 2:]], 1) / scale
        scores = [float(score) for score in anchors[chosen, 4]]
        boxes = [Box(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in edges.tolist()]
        for index in nms(boxes, scores, overlap=OBJECT_OVERLAP):
            found.append(DetectedObject(label, scores[index], boxes[index]))
    return sorted(found, key=lambda detected: -detected.score)


def threshold_of(label: str) -> float:
    """The score above which an object with this label counts as detected."""
    return VEHICLE_THRESHOLD if label in VEHICLES else OBJECT_THRESHOLD


def certain(detections: Iterable[DetectedObject]) -> list[DetectedObject]:
    """The objects above the threshold of their label, highest score first."""
    found = [detected for detected in detections if detected.score > threshold_of(detected.label)]
    return sorted(found, key=lambda detected: -detected.score)


def _centres(height: int, width: int, stride: int) -> Floats:
    rows, columns = np.mgrid[0 : height // stride, 0 : width // stride]
    grid = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], 1) * stride
    return grid.astype(np.float32)
