"""The shape of a film's pixels, and the size at which a frame has square ones."""

from fractions import Fraction
from typing import Any, Final

# A pixel aspect beyond that of any camera is taken for an error in the file.
ASPECT_MAX: Final = Fraction(4)


def pixel_aspect_of(stream: Any) -> Fraction:
    """The width of a pixel of a PyAV video stream divided by the pixel's height.

    The value is read from the container or, if it is missing there, from the codec. An implausible
    value is replaced by 1.
    """
    stored = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    aspect = Fraction(stored or 1)
    return aspect if 1 / ASPECT_MAX <= aspect <= ASPECT_MAX else Fraction(1)


def shown_size(width: int, height: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """The size (width, height) at which a decoded frame of this size has square pixels.

    Either the width or the height is enlarged, and the other kept, so that no detail is lost.
    `pixel_aspect` is as returned by `pixel_aspect_of`.
    """
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)
