"""Draws detections on a picture: boxes coloured by label, texts and captions.

Lines and texts scale with the picture. A small picture is enlarged first, so that the texts are
readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from tartip.inference.v1 import inference_pb2 as inference

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

SMALLEST_SIDE: Final = 960
_PLATE: Final[Colour] = (60, 220, 255)
_FACE: Final[Colour] = (255, 120, 220)
_EVENT: Final[Colour] = (60, 60, 235)
_OTHER: Final[Colour] = (200, 200, 200)
_COLOURS: Final[dict[str, Colour]] = {  # BGR, easy to tell apart
    "person": (80, 200, 80),
    "car": (235, 150, 50),
    "truck": (200, 90, 140),
    "bus": (190, 190, 40),
    "motorcycle": (40, 130, 245),
    "bicycle": (170, 220, 120),
    "train": (140, 140, 90),
    "backpack": (90, 110, 220),
    "handbag": (90, 110, 220),
    "suitcase": (90, 110, 220),
}


@dataclass(frozen=True)
class Mark:
    """A box to draw, as (x, y, width, height) in pixels, with its colour and label."""

    kind: str
    """The kind of object, without values that change from frame to frame."""
    box: tuple[float, float, float, float]
    colour: Colour
    label: str
    bold: bool = False

    @property
    def group(self) -> str:
        """The group of objects within which track numbers are unique: "plate", "face" or "object".
        All objects other than plates and faces form one group, since the label of a tracked object
        may change, for example from car to truck."""
        return self.kind if self.kind in ("plate", "face") else "object"


@dataclass(frozen=True)
class Caption:
    """The text about an event, drawn at the bottom of the picture. The field `box` is the place of
    the event in the picture, if known."""

    text: str
    box: tuple[float, float, float, float] | None = None


def marks_of(result: inference.FrameResult) -> list[Mark]:
    """Return the marks of all detections in one frame's result, in drawing order: first objects,
    then faces and plates, which are drawn over the objects."""
    marks = [
        Mark(
            found.label,
            _sides(found.box),
            _COLOURS.get(found.label, _OTHER),
            f"{found.label}{_number(found.track)} {found.score:.2f}",
        )
        for found in result.objects
    ]
    marks += [Mark("face", _sides(face.box), _FACE, _face_label(face)) for face in result.faces]
    marks += [
        Mark(
            "plate",
            _sides(plate.box),
            _PLATE,
            f"{plate.text}{_number(plate.track)} {plate.confidence:.2f}",
            bold=True,
        )
        for plate in result.plates
    ]
    return marks


def enlarged(picture: Picture) -> tuple[Picture, float]:
    """Return the picture and the factor by which it was enlarged. If the longer side has fewer than
    `SMALLEST_SIDE` pixels, the picture is enlarged until it has that many. Otherwise the picture
    stays as it is."""
    longer = max(picture.shape[:2])
    if longer >= SMALLEST_SIDE:
        return picture, 1.0
    factor = SMALLEST_SIDE / longer
    size = round(picture.shape[1] * factor), round(picture.shape[0] * factor)
    return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8), factor


def draw(
    picture: Picture, marks: Sequence[Mark], captions: Sequence[Caption], *, scale: float = 1.0
) -> Picture:
    """Return a copy of a BGR picture with marks and captions drawn on it. If the picture was
    enlarged, `scale` is the factor; the coordinates of all boxes are multiplied by it."""
    canvas = picture.copy()
    unit = max(canvas.shape[:2]) / 1000
    for mark in marks:
        _outline(canvas, _scaled(mark.box, scale), mark.colour, unit, bold=mark.bold)
    taken: list[tuple[int, int, int, int]] = []
    for mark in reversed(marks):
        size = unit * (22 if mark.bold else 17)
        _label(
            canvas, _scaled(mark.box, scale), mark.label, mark.colour, size, taken, bold=mark.bold
        )
    for caption in captions:
        if caption.box is not None:
            _outline(canvas, _scaled(caption.box, scale), _EVENT, unit * 1.5, bold=True)
    _band(canvas, [caption.text for caption in captions], unit * 24)
    return canvas


def _outline(
    canvas: Picture, box: tuple[int, int, int, int], colour: Colour, unit: float, *, bold: bool
) -> None:
    left, top, right, bottom = box
    width = max(1, round(unit * (2.6 if bold else 2.0)))
    # A dark edge first: a bright box on a bright street would be invisible.
    cv2.rectangle(canvas, (left, top), (right, bottom), (0, 0, 0), width + 2, cv2.LINE_AA)
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, width, cv2.LINE_AA)


def _label(
    canvas: Picture,
    box: tuple[int, int, int, int],
    text: str,
    colour: Colour,
    size: float,
    taken: list[tuple[int, int, int, int]],
    *,
    bold: bool,
) -> None:
    """Draw a label above, below or inside the box, wherever it covers no other label."""
    stamp = _stamp(text, max(11, round(size)), colour)
    tall, wide = stamp.shape[:2]
    height, width = canvas.shape[:2]
    steps = [box[1] - tall, box[3], box[1], box[3] - tall]
    steps.append(box[1] - 2 * tall)
    places = [
        (min(max(0, left), max(0, width - wide)), top)
        for left in (box[0], box[2] - wide, box[2])
        for top in steps
        if 0 <= top <= height - tall
    ]
    free = [
        (left, top)
        for left, top in places
        if not _overlaps((left, top, left + wide, top + tall), taken)
    ]
    if not free and not bold:
        return  # a label over another or far from its box would be misleading
    left, top = next(iter(free or places), (0, 0))
    taken.append((left, top, left + wide, top + tall))
    _paste(canvas, stamp, left, top)


def _band(canvas: Picture, texts: Sequence[str], size: float) -> None:
    """Draw the captions on a band at the bottom, the newest lowest."""
    top = canvas.shape[0]
    for text in reversed(texts[-6:]):
        stamp = _stamp(text, max(13, round(size)), _EVENT)
        top -= stamp.shape[0] + 2
        if top < 0:
            return
        _paste(canvas, stamp, 0, top)


def _paste(canvas: Picture, stamp: Picture, left: int, top: int) -> None:
    tall = min(stamp.shape[0], canvas.shape[0] - top)
    wide = min(stamp.shape[1], canvas.shape[1] - left)
    canvas[top : top + tall, left : left + wide] = stamp[:tall, :wide]


@lru_cache(maxsize=2048)
def _stamp(text: str, size: int, colour: Colour) -> Picture:
    """A picture of the text on a filled background: dark on bright colours, bright on dark."""
    font = ImageFont.load_default(size)
    left, _, right, _ = font.getbbox(text)
    pad = max(2, size // 5)
    # All labels of one size have the same height, whatever their letters.
    height = round(size * 1.15) + pad
    bright = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] > 110
    stamp = Image.new("RGB", (round(right - left) + 2 * pad, height), colour[::-1])
    ink = (0, 0, 0) if bright else (255, 255, 255)
    ImageDraw.Draw(stamp).text((pad - left, height / 2), text, font=font, fill=ink, anchor="lm")
    return np.ascontiguousarray(np.asarray(stamp, np.uint8)[..., ::-1])


def _overlaps(
    label: tuple[int, int, int, int], others: Sequence[tuple[int, int, int, int]]
) -> bool:
    return any(
        label[0] < other[2] and other[0] < label[2] and label[1] < other[3] and other[1] < label[3]
        for other in others
    )


def _scaled(box: tuple[float, float, float, float], scale: float) -> tuple[int, int, int, int]:
    x, y, width, height = (side * scale for side in box)
    return round(x), round(y), round(x + width), round(y + height)


def _sides(box: inference.Box) -> tuple[float, float, float, float]:
    return box.x, box.y, box.width, box.height


def _number(track: int) -> str:
    return f" #{track}" if track else ""


def _face_label(face: inference.SeenFace) -> str:
    from tartip_cli.cli.ingest.shapes import VERDICTS

    verdict = VERDICTS.get(face.verdict, "")
    return f"face: {verdict}" if verdict else "face"
