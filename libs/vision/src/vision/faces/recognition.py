"""Finds faces in the face detector's output, and cuts out aligned chips for the embedder.

Performs no I/O. A face is detected with five landmarks: the eyes, the nose and the corners of the
mouth. A chip is a cut-out face. A similarity transform moves its landmarks to the positions that
the embedder, dlib's network, expects. `Usable` says whether a face is good enough to be compared.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np

from vision.arrays import Floats, Picture
from vision.boxes import Box, nms
from vision.scaling import LETTERBOX_GREY

LOOK_SIDE: Final = 960
"""The largest longer side, in pixels, at which a picture is searched for faces; see `sides`."""
NEAR_SIDE: Final = 320
"""The longer side, in pixels, to which a picture is scaled to detect faces that fill it."""
MULTIPLE: Final = 32
STRIDE: Final = 4
DETECTION_THRESHOLD: Final = 0.5
OVERLAP: Final = 0.3
MOST_FACES: Final = 32
WINDOW_SIDE: Final = 160
WINDOW_FACE: Final = 72
"""The larger side of a face's box in its window for the second inference, in pixels."""
LARGE_ENOUGH: Final = 96
"""In pixels at the larger size of `sides`; a face this large needs no second inference."""
SEEN_AGAIN: Final = 0.3
CHIP_SIDE: Final = 150
TEMPLATE_LENGTH: Final = 128
CHIP_POINTS: Final[Floats] = np.array(
    [[47.7, 47.1], [100.3, 47.1], [74.0, 76.9], [51.7, 98.9], [96.3, 98.9]], np.float32
)
"""Pixels (x, y) of eyes, nose and corners of the mouth of a frontal face in dlib's chips: the eyes
where dlib's own alignment puts them, the others where this face detector then finds them."""
SAME_PERSON: Final = 0.6
"""The L2 distance that dlib publishes for its network: closer faces count as the same person."""
MATCH_THRESHOLD: Final = 0.5
"""A face closer than this is a match, shown to reviewers; from here to `SAME_PERSON`: unknown."""


class Usable(StrEnum):
    """Whether a face is good enough to be compared, or the first reason why not."""

    YES = "yes"
    TOO_SMALL = "too_small"
    TURNED_AWAY = "turned_away"
    TOO_BLURRED = "too_blurred"
    BADLY_LIT = "badly_lit"


@dataclass(frozen=True, slots=True)
class Quality:
    """The image quality of a face, measured before any comparison."""

    eye_pixels: float
    """Pixels between the eyes, in the original picture."""
    sharpness: float
    """Ratio of fine detail to overall contrast, of the chip at half its size to suppress noise; 0
    is fully blurred."""
    turn: float
    """0 is frontal; at 1 the nose is as far aside as an eye, or as high as eyes or mouth."""
    brightness: float
    """Mean of the chip, 0 to 255."""
    contrast: float
    """Standard deviation of the chip's grey."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The image quality that a face must have for a purpose, such as being compared.

    The fields are as in `Quality`. The field `turn` is a maximum and `brightness` is a permitted
    range. All others are minima.
    """

    eye_pixels: float
    sharpness: float
    turn: float
    brightness: tuple[float, float]
    contrast: float

    def of(self, quality: Quality) -> Usable:
        """Return whether a face of this quality is usable, or the first requirement it fails."""
        if quality.eye_pixels < self.eye_pixels:
            return Usable.TOO_SMALL
        if quality.turn > self.turn:
            return Usable.TURNED_AWAY
        if quality.sharpness < self.sharpness:
            return Usable.TOO_BLURRED
        dark, light = self.brightness
        if not dark <= quality.brightness <= light or quality.contrast < self.contrast:
            return Usable.BADLY_LIT
        return Usable.YES


class Likeness(StrEnum):
    """The meaning of a face's distance to the nearest entry of a watch-list.

    MATCH: the distance is so small that reviewers are shown the face. OTHER: the entry is another
    person. UNKNOWN: neither is certain, or the face is not good enough to be compared.
    """

    MATCH = "match"
    UNKNOWN = "unknown"
    OTHER = "other"


ENROLMENT: Final = Demand(40.0, 0.12, 0.7, (40.0, 225.0), 18.0)
"""The quality required of a watch-list entry's picture, with which every face is compared."""
SEARCH: Final = Demand(12.0, 0.04, 0.9, (25.0, 235.0), 12.0)
"""The quality required of a face in a camera's picture; a worse face is unknown, never a match.
Blurred faces resemble each other, whoever they are (docs/ACCURACY.md)."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a picture. All positions are in pixels of the picture.

    The field `landmarks` [5, 2] has the points (x, y) of the eyes, the nose and the corners of the
    mouth.
    """

    box: Box
    landmarks: Floats
    score: float
    quality: Quality

    @property
    def for_enrolment(self) -> Usable:
        """Whether the face may be enrolled in a watch-list; see `ENROLMENT`."""
        return ENROLMENT.of(self.quality)

    @property
    def for_search(self) -> Usable:
        """Whether the face may be compared with a watch-list; see `SEARCH`."""
        return SEARCH.of(self.quality)


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """A face as the detector returns it, before its quality is measured; fields as in `Face`."""

    box: Box
    landmarks: Floats
    score: float


@dataclass(frozen=True, slots=True)
class ScaledPicture:
    """A scaled picture for the face detector: `image`, uint8 [1, h, w, 3].

    The field `scale` has a horizontal and a vertical factor: the size of the scaled picture divided
    by the size of the original picture.
    """

    image: Picture
    scale: tuple[float, float]


def sides(picture: Picture) -> tuple[int, ...]:
    """The two sizes at which a picture is searched for faces, as longer sides in pixels.

    The first is 320. The second is the picture's own longer side, but at least 640 and at most 960.
    """
    longest = max(picture.shape[:2])
    return (NEAR_SIDE, min(LOOK_SIDE, max(longest, 2 * NEAR_SIDE)))


def for_detector(picture: Picture, *, side: int) -> ScaledPicture:
    """The picture with its longer side scaled to `side`, padded with grey to multiples of 32."""
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, size, interpolation=method)
    rows, columns = (-(-length // MULTIPLE) * MULTIPLE for length in small.shape[:2])
    canvas = np.full((1, rows, columns, 3), LETTERBOX_GREY, np.uint8)
    canvas[0, : size[1], : size[0]] = small
    return ScaledPicture(canvas, (size[0] / width, size[1] / height))


def detected_faces(cells: Floats, look: ScaledPicture) -> list[DetectedFace]:
    """The faces in the detector's output for one scaled picture, without duplicates.

    Faces are in pixels of the original picture, highest score first, at most 32. `cells` [15, rows,
    columns] is the output for `look`. Its channels are: the score, the logarithms of height and
    width in cells, the vertical and horizontal offset of the centre, and five landmarks (y, x) as
    shares of the box.
    """
    rows, columns = np.nonzero(cells[0] > DETECTION_THRESHOLD)
    chosen = cells[:, rows, columns].astype(np.float64)
    tall, wide = np.exp(np.clip(chosen[1:3], -8.0, 8.0)) * STRIDE
    middle_y = (rows + chosen[3] + 0.5) * STRIDE
    middle_x = (columns + chosen[4] + 0.5) * STRIDE
    left, top = middle_x - wide / 2, middle_y - tall / 2
    across, down = look.scale
    boxes = [
        Box(x / across, y / down, w / across, h / down)
        for x, y, w, h in zip(*(part.tolist() for part in (left, top, wide, tall)), strict=True)
    ]
    scores = [float(score) for score in chosen[0]]
    points_x = (chosen[6::2] * wide + left) / across
    points_y = (chosen[5::2] * tall + top) / down
    landmarks = np.stack([points_x, points_y], 2).transpose(1, 0, 2).astype(np.float32)
    remaining = nms(boxes, scores, overlap=OVERLAP)[:MOST_FACES]
    return [DetectedFace(boxes[place], landmarks[place], scores[place]) for place in remaining]


def distinct(looks: list[list[DetectedFace]]) -> list[DetectedFace]:
    """Merge lists of faces found in one picture, such as one list for each scale.

    Returns the faces without duplicates, at most 32, highest score first.
    """
    everything = [face for look in looks for face in look]
    boxes, scores = [face.box for face in everything], [face.score for face in everything]
    remaining = nms(boxes, scores, overlap=OVERLAP)[:MOST_FACES]
    return [everything[place] for place in remaining]


@dataclass(frozen=True, slots=True)
class Windows:
    """Enlarged windows around small faces, as pictures uint8 [n, 160, 160, 3].

    The other fields have one item for each window. In `places`, it is the index of the window's
    face in the list given to `windows`. In `scales`, it is the factor by which the picture was
    scaled. In `origins`, it is the position of the window's upper left corner in the original
    picture.
    """

    images: Picture
    places: tuple[int, ...]
    scales: tuple[float, ...]
    origins: tuple[tuple[float, float], ...]


def windows(picture: Picture, faces: list[DetectedFace]) -> Windows | None:
    """Cut out an enlarged window around each small face, for a second inference.

    The face's size is measured after the picture is scaled to the larger result of `sides`. A face
    is small if the longer side of its box then has less than `LARGE_ENOUGH` pixels. Returns None if
    no face is small.
    """
    longest = max(picture.shape[:2])
    factor = sides(picture)[-1] / longest
    images, places, scales, origins = [], [], [], []
    for place, face in enumerate(faces):
        size = max(face.box.width, face.box.height)
        if size * factor >= LARGE_ENOUGH:
            continue
        scale = WINDOW_FACE / max(size, 1.0)
        left = face.box.x + face.box.width / 2 - WINDOW_SIDE / 2 / scale
        top = face.box.y + face.box.height / 2 - WINDOW_SIDE / 2 / scale
        placed = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        grey = (LETTERBOX_GREY,) * 3
        side = (WINDOW_SIDE, WINDOW_SIDE)
        images.append(cv2.warpAffine(picture, placed, side, flags=method, borderValue=grey))
        places.append(place)
        scales.append(scale)
        origins.append((left, top))
    if not images:
        return None
    return Windows(np.stack(images).astype(np.uint8), tuple(places), tuple(scales), tuple(origins))


def refined(cells: Floats, close: Windows, faces: list[DetectedFace]) -> list[DetectedFace]:
    """Improve faces by a second inference on windows around them.

    `cells` [n, 15, rows, columns] is the detector's output for the windows `close`. A face that was
    detected again gets its new box, landmarks and score; others stay as they are. Duplicates are
    removed.
    """
    result = list(faces)
    for index, place in enumerate(close.places):
        scale, (left, top) = close.scales[index], close.origins[index]
        look = ScaledPicture(close.images[index : index + 1], (scale, scale))
        moved = [_moved(face, left, top) for face in detected_faces(cells[index], look)]
        again = max(moved, key=lambda face: face.box.iou(faces[place].box), default=None)
        if again is not None and again.box.iou(faces[place].box) >= SEEN_AGAIN:
            result[place] = again
    return distinct([result])


def with_quality(picture: Picture, face: DetectedFace) -> Face:
    """Measure the image quality of a face detected in a BGR picture. Returns the face with its
    quality."""
    grey = cv2.cvtColor(chip(picture, face.landmarks), cv2.COLOR_BGR2GRAY).astype(np.float32)
    eyes = face.landmarks[1] - face.landmarks[0]
    quality = Quality(
        eye_pixels=float(np.hypot(*eyes)),
        sharpness=_sharpness(grey),
        turn=_turn(face.landmarks),
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
    )
    return Face(face.box, face.landmarks, face.score, quality)


def chips(picture: Picture, faces: list[Face]) -> Picture:
    """The faces of a picture, aligned for the embedder: BGR, uint8 [n, 150, 150, 3]."""
    if not faces:
        return np.zeros((0, CHIP_SIDE, CHIP_SIDE, 3), np.uint8)
    return np.stack([chip(picture, face.landmarks) for face in faces])


def chip(picture: Picture, landmarks: Floats) -> Picture:
    """One face of a picture, aligned by its landmarks [5, 2]: uint8 [150, 150, 3]."""
    placed = similarity(landmarks, CHIP_POINTS)
    finer = max(1, math.ceil(1 / max(float(np.hypot(*placed[0, :2])), 1e-3)))
    side = CHIP_SIDE * min(finer, 8)  # shrink by area, not by skipping pixels
    placed = placed * (side / CHIP_SIDE)
    grey = (LETTERBOX_GREY,) * 3
    straight = cv2.warpAffine(
        picture, placed, (side, side), flags=cv2.INTER_LINEAR, borderValue=grey
    )
    if side > CHIP_SIDE:
        straight = cv2.resize(straight, (CHIP_SIDE, CHIP_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(straight, np.uint8)


def similarity(points: Floats, targets: Floats) -> Floats:
    """The least-squares similarity transform [2, 3] from `points` [n, 2] to `targets` [n, 2]."""
    here, there = points.mean(0), targets.mean(0)
    centred, wanted = (points - here).astype(np.float64), (targets - there).astype(np.float64)
    spread = max(float((centred**2).sum()), 1e-9)
    along = float((centred * wanted).sum()) / spread
    turned = float((centred[:, 0] * wanted[:, 1] - centred[:, 1] * wanted[:, 0]).sum()) / spread
    turning = np.array([[along, -turned], [turned, along]])
    return np.concatenate([turning, (there - turning @ here)[:, None]], 1).astype(np.float32)


def distance(template: Floats, other: Floats) -> float:
    """The L2 distance of two templates [128]. Below `SAME_PERSON` they count as the same person."""
    return float(np.linalg.norm(template - other))


def likeness(found_distance: float, face: Face) -> Likeness:
    """Interpret a face's distance to the nearest entry of a watch-list.

    Returns UNKNOWN if the face is not good enough to be compared (`SEARCH`).
    """
    if face.for_search is not Usable.YES:
        return Likeness.UNKNOWN
    if found_distance >= SAME_PERSON:
        return Likeness.OTHER
    return Likeness.MATCH if found_distance < MATCH_THRESHOLD else Likeness.UNKNOWN


def _moved(face: DetectedFace, left: float, top: float) -> DetectedFace:
    box = Box(face.box.x + left, face.box.y + top, face.box.width, face.box.height)
    return DetectedFace(box, face.landmarks + np.array([left, top], np.float32), face.score)


def _sharpness(grey: Floats) -> float:
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    edge = CHIP_SIDE // 12
    inner = np.ascontiguousarray(half[edge:-edge, edge:-edge])
    detail = cv2.Laplacian(inner, cv2.CV_32F)
    return float(detail.var() / max(float(inner.var()), 1.0))


def _turn(landmarks: Floats) -> float:
    """The deviation of a face from frontal: the nose's horizontal offset from the middle of the
    eyes or vertical offset from the middle of eyes and mouth, whichever is larger."""
    left, right, nose, mouth_left, mouth_right = landmarks.astype(np.float64)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    across, down = right - left, mouth - eyes
    aside = float((nose - eyes) @ across) / max(float(across @ across), 1e-9)
    below = float((nose - eyes) @ down) / max(float(down @ down), 1e-9)
    return max(abs(aside) * 2, abs(below - 0.5) * 2)
