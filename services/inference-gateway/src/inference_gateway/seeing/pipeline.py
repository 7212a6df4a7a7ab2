"""From a picture to the models' inputs, and from their outputs to objects and plate candidates.

Pure: arrays in, values out; nothing here waits or calls. Pictures are BGR bytes. Everything that
comes out is in pixels of the picture that went in.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from inference_gateway.seeing.geometry import Box, Floats, strongest

Picture = npt.NDArray[np.uint8]

OBJECT_SIDE: Final = 416
OBJECT_STRIDES: Final = (8, 16, 32)
OBJECT_THRESHOLD: Final = 0.4
VEHICLE_THRESHOLD: Final = 0.3
OBJECT_OVERLAP: Final = 0.6
LETTERBOX_GREY: Final = 114
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
"""Classes outside of this list were seen to be mistakes on streets (kites, refrigerators)."""
VEHICLES: Final = frozenset({"car", "motorcycle", "bus", "train", "truck"})
THINGS: Final = frozenset({"bicycle", "backpack", "handbag", "suitcase"})

PLATE_STRIDE: Final = 8
PLATE_SIDES: Final = (320, 640, 960)
"""A plate that fills a picture is found in the smallest, one far away in the largest."""
CROP_SIDE: Final = 384
MOST_CROPS: Final = 4
SMALLEST_CROP: Final = 40
PLATE_THRESHOLD: Final = 0.2
REFINED_THRESHOLD: Final = 0.2
"""No more is asked of the second look: the reader tells better what is a plate."""
PLATE_OVERLAP: Final = 0.25
MOST_CANDIDATES: Final = 8
REFINING_SIZE: Final = (256, 160)
REFINING_REACH: Final = 2.2
"""A candidate is looked at again in a window this many times its width."""
REFINING_SHIFT: Final = 0.35

CUT_OUT_HEIGHT: Final = 160
CUT_OUT_SCORE: Final = 0.5
CUT_OUT_ASPECTS: Final = (1.0, 8.0)

READER_HEIGHT: Final = 48
READER_WIDTHS: Final = (224, 320)
"""A plate of one line, with its margins, fits into the first."""
KZ_SIZE: Final = (160, 32)
CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class SeenObject:
    label: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a plate may be: corners clockwise from the top left."""

    corners: Floats
    score: float

    @property
    def box(self) -> Box:
        return Box.around(self.corners)


@dataclass(frozen=True, slots=True)
class View:
    """How much around a plate is shown to the reader, as shares of its width and height."""

    left: float
    right: float
    down: float
    aspect: float = 0.0
    """Width to height to which a plate that seems narrower is drawn out."""


WHOLE: Final = View(left=0.05, right=0.05, down=0.10)
MORE_VIEWS: Final = (
    View(left=0.01, right=0.01, down=0.03),
    View(left=-0.10, right=0.02, down=0.06),
    View(left=-0.085, right=0.025, down=0.10),
)
"""Tight, and twice without the country's band at the left, which is easily read as a letter."""
ONE_LINE_ASPECT: Final = 4.4
OBLIQUE: Final = 3.6
"""A plate of one line that seems narrower than this is seen from the side, or is American."""
OBLIQUE_VIEWS: Final = (
    MORE_VIEWS[0],
    replace(WHOLE, aspect=ONE_LINE_ASPECT),
    replace(MORE_VIEWS[1], aspect=ONE_LINE_ASPECT),
)
"""Characters pressed together melt into one another for a reader; drawn out they come apart."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A batch for a detector and how each of its pictures lies in the original."""

    images: Picture
    scales: tuple[tuple[float, float], ...]
    origins: tuple[tuple[float, float], ...]


def shrunk(picture: Picture) -> Picture:
    """A large picture as large as any detector sees it whole; the smaller sizes are made of this
    one, since shrinking costs by the pixel."""
    side = min(PLATE_SIDES[-1], max(picture.shape[:2]))
    return _resized(picture, _fitting(picture, side, least=16))


def for_objects(picture: Picture, small: Picture) -> Scaled:
    """The picture, letterboxed for the object detector; `small` is the same picture `shrunk`."""
    return _scaled([picture], [(0.0, 0.0)], side=OBJECT_SIDE, multiple=32, small=small)


def for_plates(picture: Picture, small: Picture, *, side: int) -> Scaled:
    """The whole picture for the plate detector, its longer side brought to `side`."""
    return _scaled([picture], [(0.0, 0.0)], side=side, multiple=16, small=small)


def vehicle_crops(picture: Picture, objects: list[SeenObject]) -> Scaled | None:
    """The strongest vehicles for the plate detector, all in one batch; None without any."""
    height, width = picture.shape[:2]
    crops, origins = [], []
    for seen in objects:
        box = seen.box.within(width=width, height=height)
        if seen.label not in VEHICLES or min(box.width, box.height) < SMALLEST_CROP:
            continue
        left, top = int(box.x), int(box.y)
        right, bottom = math.ceil(box.x + box.width), math.ceil(box.y + box.height)
        crops.append(picture[top:bottom, left:right])
        origins.append((float(left), float(top)))
    if not crops:
        return None
    return _scaled(crops[:MOST_CROPS], origins[:MOST_CROPS], side=CROP_SIDE, multiple=16)


def objects_seen(anchors: Floats, scaled: Scaled) -> list[SeenObject]:
    """Objects from one picture's anchors [a, 6], strongest first."""
    height, width = scaled.images.shape[1:3]
    centres = np.concatenate([_centres(height, width, stride) for stride in OBJECT_STRIDES])
    scale = np.array(scaled.scales[0] * 2, np.float32)
    found: list[SeenObject] = []
    for code, label in COCO_LABELS.items():
        chosen = (anchors[:, 5] == code) & (anchors[:, 4] > threshold_of(label))
        middle, sides = centres[chosen], anchors[chosen, :4]
        edges = np.concatenate([middle - sides[:, :2], middle + sides[:, 2:]], 1) / scale
        scores = [float(score) for score in anchors[chosen, 4]]
        boxes = [Box(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in edges.tolist()]
        for index in strongest(boxes, scores, overlap=OBJECT_OVERLAP):
            found.append(SeenObject(label, scores[index], boxes[index]))
    return sorted(found, key=lambda seen: -seen.score)


def threshold_of(label: str) -> float:
    return VEHICLE_THRESHOLD if label in VEHICLES else OBJECT_THRESHOLD


def certain(seen: Iterable[SeenObject]) -> list[SeenObject]:
    """Those above their thresholds, strongest first."""
    found = [one for one in seen if one.score > threshold_of(one.label)]
    return sorted(found, key=lambda one: -one.score)


def plate_candidates(cells: Floats, scaled: Scaled) -> list[Candidate]:
    """Candidates from the plate detector's cells [n, 9, rows, columns]."""
    found = []
    for image, (scale, origin) in enumerate(zip(scaled.scales, scaled.origins, strict=True)):
        rows, columns = np.nonzero(cells[image, 0] > PLATE_THRESHOLD)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            offsets = cells[image, 1:, row, column].reshape(4, 2)
            middle = np.array([column + 0.5, row + 0.5])
            corners = (offsets + middle) * PLATE_STRIDE / scale + origin
            score = float(cells[image, 0, row, column])
            found.append(Candidate(corners.astype(np.float32), score))
    return found


def refining(picture: Picture, candidates: list[Candidate]) -> Scaled:
    """A window around each candidate in which its plate has the size that is found best."""
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


def refined(cells: Floats, scaled: Scaled, candidates: list[Candidate]) -> list[Candidate]:
    """Each candidate as the second look saw it; one that it did not see again counts half."""
    result = []
    for index, candidate in enumerate(candidates):
        window = Scaled(scaled.images, (scaled.scales[index],), (scaled.origins[index],))
        again = [
            seen
            for seen in plate_candidates(cells[index : index + 1], window)
            if _near(seen, candidate)
        ]
        if not again:
            result.append(Candidate(candidate.corners, candidate.score / 2))
            continue
        best = max(again, key=lambda seen: seen.score)
        result.append(Candidate(best.corners, (best.score + candidate.score) / 2))
    return distinct([seen for seen in result if seen.score >= REFINED_THRESHOLD])


def distinct(candidates: list[Candidate]) -> list[Candidate]:
    """The candidates without doubles, strongest first, no more than can be read in one request."""
    boxes = [candidate.box for candidate in candidates]
    scores = [candidate.score for candidate in candidates]
    kept = strongest(boxes, scores, overlap=PLATE_OVERLAP)
    return [candidates[index] for index in kept[:MOST_CANDIDATES]]


def whole_as_plate(picture: Picture) -> list[Candidate]:
    """A picture no larger than a plate is likely a cut-out of one."""
    height, width = picture.shape[:2]
    narrowest, widest = CUT_OUT_ASPECTS
    if height > CUT_OUT_HEIGHT or not narrowest <= width / height <= widest:
        return []
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return [Candidate(corners, CUT_OUT_SCORE)]


def aspect(corners: Floats) -> float:
    """Width to height of a plate as it is seen."""
    across = np.linalg.norm(corners[1] - corners[0]) + np.linalg.norm(corners[2] - corners[3])
    down = np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])
    return float(across) / max(float(down), 1.0)


def rectified(picture: Picture, corners: Floats, view: View = WHOLE) -> Picture:
    """The plate seen straight on, with the view's margins, as high as the reader wants it."""
    across = (corners[1] - corners[0] + corners[2] - corners[3]) / 2
    down = (corners[3] - corners[0] + corners[2] - corners[1]) / 2
    wide = float(np.linalg.norm(across)) * (1 + view.left + view.right)
    tall = float(np.linalg.norm(down)) * (1 + 2 * view.down)
    left, right, margin = across * view.left, across * view.right, down * view.down
    padded = corners + np.stack([-left - margin, right - margin, right + margin, margin - left])
    shown = max(wide / max(tall, 1.0), view.aspect)
    width = int(np.clip(READER_HEIGHT * shown, READER_HEIGHT, READER_WIDTHS[-1]))
    finer = max(1, math.ceil(tall / READER_HEIGHT / 1.5))  # shrink by area, not by skipping pixels
    size = (width * finer, READER_HEIGHT * finer)
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    warp = cv2.getPerspectiveTransform(padded.astype(np.float32), target)
    flat = cv2.warpPerspective(
        picture, warp, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    if finer > 1:
        flat = cv2.resize(flat, (width, READER_HEIGHT), interpolation=cv2.INTER_AREA)
    return flat.astype(np.uint8)


def for_reader(plates: list[Picture]) -> Picture:
    """All plates of a frame in one batch, padded on the right with the reader's grey."""
    widest = max(plate.shape[1] for plate in plates)
    width = next((size for size in READER_WIDTHS if widest <= size), READER_WIDTHS[-1])
    batch = np.full((len(plates), READER_HEIGHT, width, 3), 127, np.uint8)
    for index, plate in enumerate(plates):
        batch[index, :, : plate.shape[1]] = plate
    return batch


def for_kazakh_reader(plates: list[Picture]) -> Picture:
    """The same plates, grey and small, for the second voter."""
    small = [
        cv2.resize(cv2.cvtColor(plate, cv2.COLOR_BGR2GRAY), KZ_SIZE, interpolation=cv2.INTER_AREA)
        for plate in plates
    ]
    return np.stack(small)[..., None].astype(np.uint8)


def _scaled(
    pictures: list[Picture],
    origins: list[tuple[float, float]],
    *,
    side: int,
    multiple: int,
    small: Picture | None = None,
) -> Scaled:
    """Bring each picture's longer side to `side` and put all on equal canvases.

    `small` shows what the only picture shows, and is resized in its place.
    """
    resized, scales = [], []
    for picture in pictures:
        size = _fitting(picture, side, least=multiple)
        resized.append(_resized(picture if small is None else small, size))
        scales.append((size[0] / picture.shape[1], size[1] / picture.shape[0]))
    tall = _up(max(image.shape[0] for image in resized), multiple)
    wide = _up(max(image.shape[1] for image in resized), multiple)
    canvas = np.full((len(resized), tall, wide, 3), LETTERBOX_GREY, np.uint8)
    for index, image in enumerate(resized):
        canvas[index, : image.shape[0], : image.shape[1]] = image
    return Scaled(canvas, tuple(scales), tuple(origins))


def _fitting(picture: Picture, side: int, *, least: int) -> tuple[int, int]:
    """Width and height when the longer of the two is `side`, neither under `least`."""
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    return max(least, round(width * factor)), max(least, round(height * factor))


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    height, width = picture.shape[:2]
    if size == (width, height):
        return picture
    method = cv2.INTER_AREA if max(size) < max(height, width) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def _near(seen: Candidate, candidate: Candidate) -> bool:
    shift = float(np.linalg.norm(seen.corners.mean(0) - candidate.corners.mean(0)))
    return shift <= REFINING_SHIFT * max(seen.box.width, candidate.box.width)


def _centres(height: int, width: int, stride: int) -> Floats:
    rows, columns = np.mgrid[0 : height // stride, 0 : width // stride]
    grid = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], 1) * stride
    return grid.astype(np.float32)


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
