"""A decoded frame as it is displayed: deinterlaced, with square pixels, upright.

Pictures are BGR, uint8 [h, w, 3].
"""

from fractions import Fraction
from typing import Any

import av
import numpy as np

from vision.arrays import Picture
from vision.pixel_shapes import shown_size


def picture_of(frame: Any, pixel_aspect: Fraction = Fraction(1)) -> Picture:
    """Convert a PyAV video frame to a BGR picture: deinterlaced, with square pixels, upright.

    The frame is rotated as the film states. `pixel_aspect` is as returned by
    `pixel_shapes.pixel_aspect_of`.
    """
    width, height = shown_size(frame.width, frame.height, pixel_aspect)
    whole = _one_field(frame) if frame.interlaced_frame else frame
    scaled = (whole.width, whole.height) != (width, height)
    picture: Picture = whole.to_ndarray(
        format="bgr24", width=width, height=height, interpolation="BICUBIC" if scaled else None
    )
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture


def _one_field(frame: Any) -> Any:
    """Every second line: one of the two fields of an interlaced frame.

    Only this frame is used. With yadif and bwdif, which also use neighbouring frames, fewer frames
    of a moving car gave a legible plate (26 and 27 of 30, here 29); estdif takes 30 times as long.
    """
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
    )
    graph.link_nodes(source, graph.add("field", "type=top"), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()
