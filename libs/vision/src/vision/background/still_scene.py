"""Models the background of a fixed camera, and finds still regions in front of it.

The background contains neither people nor detected objects.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.boxes import Box
from vision.zones.shapes import Polygon

Plane = npt.NDArray[np.float32]
"""A reduced, slightly blurred picture in floats: [height, width, 3]."""
Mask = npt.NDArray[np.bool_]

LEARNING_SECONDS: Final = 2.0
BACKGROUND_SECONDS: Final = 20.0
ABSORBING_SECONDS: Final = 60.0
RECENT_SECONDS: Final = 1.0
LONGEST_STEP_SECONDS: Final = 1.0
DIFFERENCE: Final = 16.0
NOISE_FACTOR: Final = 4.0
STILLNESS: Final = 14.0
SHADOW: Final = (0.7, 0.98)
SHADOW_TINT: Final = 0.06
LIGHT_CHANGE_SHARE: Final = 0.5
FILL: Final = 0.3
OBJECT_OUTLINE: Final = 0.9
OBJECT_COLOURS: Final = 1.3
OBJECT_CONTRAST: Final = 24.0


class StillScene:
    """The background of one camera, and how long each foreground pixel has been still."""

    def __init__(self, first: Plane, at: float, zone: Polygon) -> None:
        self._first: list[Plane] = []
        self._started = self._last = at
        self._background = first.copy()
        self._recent = first.copy()
        self._frame = first
        shape = first.shape[:2]
        self._noise: Plane = np.full(shape, 2.0, np.float32)
        self._still: Plane = np.zeros(shape, np.float32)
        self._difference: Plane = np.zeros(shape, np.float32)
        self._foreground: Mask = np.zeros(shape, np.bool_)
        self._step = 0.0
        self._zone = _filled(zone, shape)

    def look(self, frame: Plane, *, at: float) -> None:
        """Process the next frame, taken at `at` seconds: find where it differs from the background.

        The other methods refer to this frame.
        """
        self._step = min(LONGEST_STEP_SECONDS, max(0.0, at - self._last))
        self._last, self._frame = at, frame
        if at - self._started < LEARNING_SECONDS:
            self._first.append(frame)
            return
        if self._first:
            self._background = np.median(np.stack(self._first), 0).astype(np.float32)
            self._recent = self._background.copy()
            self._first = []
        self._frame = frame = self._as_lit_before(frame)
        self._difference = np.abs(frame - self._background).max(2)
        self._foreground = self._differing()

    def share_busy(self, box: Box) -> float:
        """The share of a box, 0 to 1, in which the last frame differs from the background."""
        return float(self._foreground[_place(box, self._foreground.shape)].mean())

    def learn(self, people: list[Box], objects: list[Box]) -> float | None:
        """Update the background, and the time for which each pixel has been still.

        Nothing is learned inside the boxes `people` and `objects`, in pixels of the reduced frame.
        Returns the seconds since the previous frame, at most 1. Returns None while the background
        is learned from nothing: in the first seconds, and whenever the light has changed.
        """
        if self._first:
            return None
        frame, foreground, step = self._frame, self._foreground, self._step
        if foreground.mean() > LIGHT_CHANGE_SHARE:
            self._start_again(frame, self._last)
            return None
        hidden = _boxed(people, foreground.shape)
        still = foreground & (np.abs(frame - self._recent).max(2) < STILLNESS) & ~hidden
        grown = np.where(still, self._still + step, np.maximum(0, self._still - 2 * step))
        self._still = np.where(hidden, self._still, grown).astype(np.float32)
        self._adapt(frame, hidden | _boxed(objects, hidden.shape), step)
        return step

    def still_blobs(self, *, seconds: float, smallest: float, largest: float) -> list[Box]:
        """The boxes of regions that differ from the background and were still for `seconds`.

        Regions at the edge of the picture, or with a centre outside of the zone, are ignored.
        `smallest` and `largest` limit a region's area, as shares of the picture's area. Boxes are
        in pixels of the reduced frame.
        """
        mask = (self._still >= seconds).astype(np.uint8)
        joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        joined = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        _, _, blobs, middles = cv2.connectedComponentsWithStats(joined)
        height, width = mask.shape
        found = []
        for (x, y, w, h, area), (cx, cy) in zip(blobs[1:].tolist(), middles[1:], strict=True):
            share = area / mask.size
            fits = smallest <= share <= largest
            inside = x > 1 and y > 1 and x + w < width - 1 and y + h < height - 1
            if fits and inside and area >= FILL * w * h and self._zone[int(cy), int(cx)]:
                found.append(Box(x, y, w, h))
        return found

    def is_ghost(self, box: Box) -> bool:
        """Whether an object has gone from a box in the frame but remains in the background model.

        Two measures must agree: the outline, and the colour contrast with the surroundings.
        """
        outline, colours = self._signs(box)
        return outline < 1 and colours < 1

    def is_object(self, box: Box) -> bool:
        """Whether the frame shows an object in a box, by outline, colours and contrast."""
        outline, colours = self._signs(box)
        clear = outline >= OBJECT_OUTLINE and colours >= OBJECT_COLOURS
        return clear and self.contrast(box) >= OBJECT_CONTRAST

    def _signs(self, box: Box) -> tuple[float, float]:
        """Ratios of frame to background for outline and colours; above 1 indicates an object."""
        now, before = self._frame, self._background
        outline = self._outline(now, box) / max(1.0, self._outline(before, box))
        colours = self._stands_out(now, box) / max(1.0, self._stands_out(before, box))
        return outline, colours

    def absorb(self, box: Box) -> None:
        """Copy the still pixels of a box into the background, so that they are no longer
        foreground."""
        place = _place(box, self._still.shape)
        body = self._still[place] > 0
        self._background[place][body] = self._frame[place][body]
        self._still[place] = 0

    def contrast(self, box: Box) -> float:
        """The mean difference between frame and background in a box, from 0 to 255."""
        place = _place(box, self._still.shape)
        return float(np.abs(self._frame[place] - self._background[place]).max(2).mean())

    def patch(self, box: Box) -> Plane:
        """A copy of the last frame's pixels in a box, [height, width, 3]; `holds` compares later
        frames with it."""
        return self._frame[_place(box, self._still.shape)].copy()

    def holds(self, box: Box, patch: Plane) -> bool:
        """Whether the last frame, within a box, is more like `patch` than like the background."""
        place = _place(box, self._still.shape)
        now = self._frame[place]
        as_object = np.abs(now - patch).mean()
        as_background = np.abs(now - self._background[place]).mean()
        return bool(as_object < as_background)

    def _as_lit_before(self, frame: Plane) -> Plane:
        """The frame without the camera's exposure change, estimated over the whole picture."""
        gain = np.median((frame + 8) / (self._background + 8), axis=(0, 1))
        return np.asarray((frame + 8) / np.clip(gain, 0.5, 2.0) - 8, np.float32)

    def _differing(self) -> Mask:
        frame = self._frame
        found = self._difference > np.maximum(DIFFERENCE, NOISE_FACTOR * self._noise)
        ratio = (frame + 8) / (self._background + 8)
        middle = ratio.mean(2)
        even = np.abs(ratio - middle[..., None]).max(2) < SHADOW_TINT
        shadow = even & (middle > SHADOW[0]) & (middle < SHADOW[1])
        return np.asarray(found & ~shadow)

    def _adapt(self, frame: Plane, taken: Mask, step: float) -> None:
        """Adapt the background to the frame: not at all where `taken` marks people and objects,
        slowly elsewhere."""
        self._recent += (frame - self._recent) * min(1.0, step / RECENT_SECONDS)
        busy = self._foreground
        calm = (~(busy | taken)).astype(np.float32)
        self._noise += calm * (self._difference - self._noise) * min(1.0, step / BACKGROUND_SECONDS)
        pace = np.where(busy, step / ABSORBING_SECONDS, step / BACKGROUND_SECONDS)
        pace = np.where(taken | (self._still > 0), 0, pace)[..., None].astype(np.float32)
        self._background += (frame - self._background) * pace

    def _outline(self, image: Plane, box: Box) -> float:
        """The mean gradient along the outline of the still pixels in a box."""
        place = _place(_wider(box, 3), self._still.shape)
        body = (self._still[place] > 0).astype(np.uint8)
        ring = cv2.morphologyEx(body, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        grey = image[place].mean(2)
        steep = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        return float(steep[ring].mean()) if ring.any() else 0.0

    def _stands_out(self, image: Plane, box: Box) -> float:
        place = _place(
            _wider(box, max(4, int(0.25 * min(box.width, box.height)))), self._still.shape
        )
        body = self._still[place] > 0
        if body.all() or not body.any():
            return 0.0
        return float(np.abs(image[place][body].mean(0) - image[place][~body].mean(0)).max())

    def _start_again(self, frame: Plane, at: float) -> None:
        self._started = at
        self._background, self._recent = frame.copy(), frame.copy()
        self._still[:] = 0


def _filled(zone: Polygon, shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, np.uint8)
    corners = [(corner.x * shape[1], corner.y * shape[0]) for corner in zone.corners]
    cv2.fillPoly(mask, [np.round(np.array(corners)).astype(np.int32)], 1)
    return mask > 0


def _boxed(boxes: list[Box], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, np.bool_)
    for box in boxes:
        mask[_place(box, shape)] = True
    return mask


def _place(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    inside = box.within(width=shape[1], height=shape[0])
    left, top = int(inside.x), int(inside.y)
    right, bottom = round(inside.x + inside.width), round(inside.y + inside.height)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _wider(box: Box, margin: int) -> Box:
    return Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
