"""Boxes and corners in pixels, and non-maximum suppression."""

from dataclasses import dataclass

from vision.arrays import Floats


@dataclass(frozen=True, slots=True)
class Box:
    """A box in pixels of the picture; `x` and `y` are its left and upper edge."""

    x: float
    y: float
    width: float
    height: float

    @staticmethod
    def around(corners: Floats) -> "Box":
        """The smallest box around points [n, 2] given as (x, y)."""
        left, top = corners.min(0)
        right, bottom = corners.max(0)
        return Box(float(left), float(top), float(right - left), float(bottom - top))

    def iou(self, other: "Box") -> float:
        """The intersection over union with another box, 0 to 1."""
        wide = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        tall = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if wide <= 0 or tall <= 0:
            return 0.0
        shared = wide * tall
        return shared / (self.width * self.height + other.width * other.height - shared)

    def within(self, *, width: int, height: int) -> "Box":
        """The part of the box inside a picture of this size."""
        left, top = max(0.0, self.x), max(0.0, self.y)
        right = min(float(width), self.x + self.width)
        bottom = min(float(height), self.y + self.height)
        return Box(left, top, max(0.0, right - left), max(0.0, bottom - top))


def nms(boxes: list[Box], scores: list[float], *, overlap: float) -> list[int]:
    """Non-maximum suppression: return the indices of the remaining boxes, highest score first.

    A box is dropped if its IoU with a remaining box of higher score exceeds `overlap`.
    """
    remaining: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda place: -scores[place]):
        if all(boxes[index].iou(boxes[other]) <= overlap for other in remaining):
            remaining.append(index)
    return remaining
