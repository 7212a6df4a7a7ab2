"""Decides which pictures of a fixed camera need inference; detects frozen and black pictures.

Performs no I/O. A reduced picture is compared with the last picture on which inference ran, so that
slow changes add up. Noise of sensor and codec affects all blocks of pixels alike, motion only some.
A distant car covers few pixels, so blocks are small and overlap.
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

GREY_WIDTH = 320
BLOCK = 4
# Mean difference of a block, in grey levels: no motion below the first, motion above the second,
# and in between motion if it stands out from the differences of all blocks.
DIFFERENCE_MIN, DIFFERENCE_SURE = 5.0, 14.0
STANDS_OUT = 6.0
LOOK_AGAIN_SECONDS = 8.0
LATER_SECONDS = 3.0
FROZEN_SECONDS = 8.0
# In limited range, black is 16; measured on a capped lens at night, with noise.
BLACK_MEAN, BLACK_BRIGHTEST = 26.0, 48.0

Grey = npt.NDArray[np.uint8]


class PictureState(StrEnum):
    """Whether a connected stream shows a live, a frozen or a black picture."""

    LIVE = "live"
    FROZEN = "frozen"
    BLACK = "black"


class Need(IntEnum):
    """Whether a picture needs inference.

    YES: something moved since the picture of the last inference. AGAIN: nothing moved, but the
    periodic inference is due. NO: neither.
    """

    NO = 0
    # Nothing moved, but the last inference is some time ago.
    AGAIN = 1
    YES = 2


@dataclass
class MotionGate:
    """Decides for one camera which pictures need inference.

    The method `needs` compares a picture with the picture of the last inference. The method
    `looked` records an inference.
    """

    _last: Grey | None = None
    _again_at: float = 0.0

    def needs(self, grey: Grey, at: float) -> Need:
        """Return whether a grey picture [h, w], taken at `at` seconds, needs inference."""
        if self._last is None or self._last.shape != grey.shape or moved(self._last, grey):
            return Need.YES
        return Need.AGAIN if at >= self._again_at else Need.NO

    def later(self, at: float) -> None:
        """Postpone the periodic inference to three seconds after `at`, because no inference slot
        was free."""
        self._again_at = at + LATER_SECONDS

    def looked(self, grey: Grey, at: float) -> None:
        """Record that inference ran on this picture; later pictures are compared with it.

        `at` is the time of the inference in seconds.
        """
        self._last, self._again_at = grey, at + LOOK_AGAIN_SECONDS


def moved(before: Grey, after: Grey) -> bool:
    """Whether something moved between two reduced grey pictures [h, w]."""
    difference: Grey = np.asarray(cv2.absdiff(_smooth(before), _smooth(after)), np.uint8)
    # Two grids, half a block apart: motion across an edge in one lies within a block of the other.
    blocks = np.concatenate([_blocks(difference), _blocks(difference[BLOCK // 2 :, BLOCK // 2 :])])
    middle = float(np.median(blocks))
    spread = 1.4826 * float(np.median(np.abs(blocks - middle)))
    bound = middle + max(STANDS_OUT * spread, DIFFERENCE_MIN)
    return bool(blocks.max() > min(bound, DIFFERENCE_SURE))


def _smooth(grey: Grey) -> Grey:
    return np.asarray(cv2.blur(grey, (3, 3)), np.uint8)


def _blocks(difference: Grey) -> npt.NDArray[np.float32]:
    """The mean of each block of a difference picture, as a flat array."""
    height, width = (side // BLOCK * BLOCK for side in difference.shape)
    small = cv2.resize(
        difference[:height, :width].astype(np.float32),
        (width // BLOCK, height // BLOCK),
        interpolation=cv2.INTER_AREA,
    )
    return np.asarray(small, np.float32).reshape(-1)


@dataclass
class StreamHealth:
    """Distinguishes a frozen or black picture from a live one.

    A working sensor never delivers two pictures that are identical bit by bit, but a codec may
    repeat a frame. The picture counts as frozen after `FROZEN_SECONDS` of identical pictures.
    """

    _print: int = 0
    _same_since: float | None = None
    state: PictureState = PictureState.LIVE

    def observe(self, luma: bytes, grey: Grey, at: float) -> PictureState:
        """Return the state of the stream after a picture taken at `at` seconds.

        `luma` are the brightness bytes at full size, `grey` is the reduced picture.
        """
        mark = zlib.crc32(luma)
        if self._same_since is None or mark != self._print:
            self._print, self._same_since = mark, at
        if _is_black(grey):
            self.state = PictureState.BLACK
        elif at - self._same_since >= FROZEN_SECONDS:
            self.state = PictureState.FROZEN
        else:
            self.state = PictureState.LIVE
        return self.state


def _is_black(grey: Grey) -> bool:
    smooth = _smooth(grey)
    return bool(smooth.mean() < BLACK_MEAN and np.percentile(smooth, 99.9) < BLACK_BRIGHTEST)


def luma_of(frame: Any) -> bytes:
    """The brightness bytes of a PyAV video frame, row by row, without the padding at row ends."""
    plane = frame.planes[0]
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return lines[: frame.height, : frame.width].tobytes()


def small_grey(frame: Any) -> Grey:
    """The brightness of a PyAV video frame as a reduced picture [h, w], at most 320 pixels wide."""
    width = min(GREY_WIDTH, frame.width)
    height = max(8, round(frame.height * width / frame.width))
    small = frame.reformat(width=width, height=height, format="gray")
    return np.ascontiguousarray(small.to_ndarray())
