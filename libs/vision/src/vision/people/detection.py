"""Detects people in a still picture at several scales, in the original and the mirrored picture.

The detector recognises people only within a range of sizes in its input, so at each scale only
people in that range count. A detection is a person if its mean score over the scales is above a
threshold. The rule `COUNTING` has a low threshold, for counting people. The rule `CERTAIN` has a
higher one, for boxes that must each be a person.
"""

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np

from vision.arrays import Floats, Picture
from vision.boxes import Box, nms
from vision.objects import (
    COCO_LABELS,
    OBJECT_OVERLAP,
    OBJECT_STRIDES,
    DetectedObject,
)
from vision.scaling import LETTERBOX_GREY

PEOPLE: Final = frozenset({"person"})
ASK_FROM: Final = 0.15
KNOWN_PIXELS: Final = (16.0, 380.0)
"""The longer side of people that the detector recognises, in pixels of its input."""
SAME_PERSON: Final = 0.5
PART_WITHIN: Final = 0.95
PART_LARGEST: Final = 0.7
PART_HEAD_DOWN: Final = 0.12
PART_HEAD_ASIDE: Final = 0.25
"""A box inside a larger one with the head at the same position is not a second person."""


@dataclass(frozen=True, slots=True)
class InferenceScale:
    """How a picture is shown to the object detector: its longer side scaled to `side` pixels, and
    whether it is mirrored."""

    side: int
    mirrored: bool


def scales(*sides: int) -> tuple[InferenceScale, ...]:
    """Two inference scales for each of `sides` (pixels): the picture as it is, and mirrored."""
    return tuple(InferenceScale(side, mirrored) for side in sides for mirrored in (False, True))


@dataclass(frozen=True, slots=True)
class PeopleRule:
    """The scales at which people are detected, and the mean score that a person must exceed."""

    scales: tuple[InferenceScale, ...]
    threshold: float


COUNTING: Final = PeopleRule(scales(640, 960), 0.295)
"""For counts: missed and false detections balance. The threshold is the middle of the range in
which counts hardly change, also in smaller and darker pictures.
"""
CERTAIN: Final = PeopleRule(scales(640, 960, 1280), 0.34)
"""For boxes that must each be a person."""


@dataclass(slots=True)
class _Candidate:
    box: Box
    by_scale: dict[InferenceScale, DetectedObject] = field(default_factory=dict)


def for_detector(picture: Picture, scale: InferenceScale) -> Picture:
    """The detector's input [h, w, 3]: the picture scaled and letterboxed to multiples of 32."""
    height, width = picture.shape[:2]
    factor = scale.side / max(height, width)
    small = cv2.resize(
        picture[:, ::-1] if scale.mirrored else picture,
        (max(1, round(width * factor)), max(1, round(height * factor))),
        interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR,
    )
    canvas = _canvas(height, width, factor)
    image: Picture = np.full((*canvas, 3), LETTERBOX_GREY, np.uint8)
    image[: small.shape[0], : small.shape[1]] = small
    return image


def people_at_scale(
    anchors: Floats, picture: Picture, scale: InferenceScale
) -> list[DetectedObject]:
    """The people in the object detector's output at one scale; boxes are in pixels of the picture.

    Only people of a size that the detector recognises (`KNOWN_PIXELS`) are returned. `anchors` [a,
    6] is the output, as in `objects_of`.
    """
    factor = scale.side / max(picture.shape[:2])
    return [
        person
        for person in objects_at_scale(anchors, picture, scale, labels=PEOPLE)
        if KNOWN_PIXELS[0] <= _long_side(person.box) * factor <= KNOWN_PIXELS[1]
    ]


def objects_at_scale(
    anchors: Floats, picture: Picture, scale: InferenceScale, *, labels: frozenset[str]
) -> list[DetectedObject]:
    """The objects with one of `labels` in the object detector's output at one scale.

    `anchors` [a, 6] is the output, as in `objects_of`. Objects with low scores are included. Boxes
    are in pixels of the picture, without duplicates.
    """
    height, width = picture.shape[:2]
    factor = scale.side / max(height, width)
    rows, columns = _canvas(height, width, factor)
    centres = np.concatenate([_centres(rows, columns, stride) for stride in OBJECT_STRIDES])
    codes = [code for code, label in COCO_LABELS.items() if label in labels]
    chosen = np.isin(anchors[:, 5], codes) & (anchors[:, 4] > ASK_FROM)
    middle, sides = centres[chosen], anchors[chosen, :4]
    edges = np.concatenate([middle - sides[:, :2], middle + sides[:, 2:]], 1) / factor
    if scale.mirrored:
        edges[:, [0, 2]] = width - edges[:, [2, 0]]
    scores = [float(score) for score in anchors[chosen, 4]]
    names = [COCO_LABELS[int(code)] for code in anchors[chosen, 5]]
    boxes = [Box(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in edges.tolist()]
    remaining = nms(boxes, scores, overlap=OBJECT_OVERLAP)
    return [DetectedObject(names[place], scores[place], boxes[place]) for place in remaining]


def people(
    by_scale: dict[InferenceScale, list[DetectedObject]], picture: Picture, rule: PeopleRule
) -> list[DetectedObject]:
    """Combine the people detected at each scale (`by_scale`), and return them, highest score first.

    A person's score is the mean over those scales of `rule` at which a person of that size could be
    detected. The score must exceed the threshold of `rule`.
    """
    candidates: list[_Candidate] = []
    everything = [(scale, found) for scale in rule.scales for found in by_scale[scale]]
    for scale, found in sorted(everything, key=lambda pair: -pair[1].score):
        fitting = [c for c in candidates if scale not in c.by_scale]
        best = max(fitting, key=lambda c: c.box.iou(found.box), default=None)
        if best is None or best.box.iou(found.box) <= SAME_PERSON:
            candidates.append(_Candidate(found.box, {scale: found}))
        else:
            best.by_scale[scale] = found
            best.box = _middle_of(list(best.by_scale.values()))
    longest = max(picture.shape[:2])
    scores = [_agreed(candidate, rule, longest) for candidate in candidates]
    boxes = [candidate.box for candidate in candidates]
    remaining = nms(boxes, scores, overlap=OBJECT_OVERLAP)
    sure = [
        DetectedObject("person", scores[p], boxes[p])
        for p in remaining
        if scores[p] > rule.threshold
    ]
    return [person for person in sure if not any(_is_part(person.box, other.box) for other in sure)]


def _is_part(box: Box, whole: Box) -> bool:
    """Whether `box` is the head or the upper half of the person in `whole`."""
    area = box.width * box.height
    wide = min(box.x + box.width, whole.x + whole.width) - max(box.x, whole.x)
    tall = min(box.y + box.height, whole.y + whole.height) - max(box.y, whole.y)
    inside = max(0.0, wide) * max(0.0, tall)
    aside = abs(box.x + box.width / 2 - whole.x - whole.width / 2)
    return (
        area < PART_LARGEST * whole.width * whole.height
        and inside > PART_WITHIN * area
        and abs(box.y - whole.y) < PART_HEAD_DOWN * whole.height
        and aside < PART_HEAD_ASIDE * whole.width
    )


def _agreed(candidate: _Candidate, rule: PeopleRule, longest: int) -> float:
    length = _long_side(candidate.box)
    able = sum(
        1.2 * KNOWN_PIXELS[0] <= length * scale.side / longest <= 0.9 * KNOWN_PIXELS[1]
        for scale in rule.scales
    )
    total = sum(detected.score for detected in candidate.by_scale.values())
    return total / max(1, able, len(candidate.by_scale))


def _middle_of(detections: list[DetectedObject]) -> Box:
    """The mean of the boxes, weighted by their scores."""
    total = sum(detected.score for detected in detections)
    shares = [(detected.score / total, detected.box) for detected in detections]
    return Box(
        sum(share * box.x for share, box in shares),
        sum(share * box.y for share, box in shares),
        sum(share * box.width for share, box in shares),
        sum(share * box.height for share, box in shares),
    )


def _canvas(height: int, width: int, factor: float) -> tuple[int, int]:
    rows, columns = (-(-max(1, round(length * factor)) // 32) * 32 for length in (height, width))
    return rows, columns


def _long_side(box: Box) -> float:
    return max(box.width, box.height)


def _centres(height: int, width: int, stride: int) -> Floats:
    rows, columns = np.mgrid[0 : height // stride, 0 : width // stride]
    places = np.stack([columns.ravel(), rows.ravel()], 1)
    return np.asarray((places + 0.5) * stride, np.float32)
