"""Makes the blurred form of a picture: smaller, with boxes in it replaced by a coarse mosaic.

Runs in the child process. A line of JSON that precedes the photograph gives the boxes: a list of
[x, y, width, height] in pixels, or null for the whole photograph.
"""

import json
from typing import IO, Final

import numpy as np
from PIL import Image
from vision.boxes import Box
from vision.mosaic import obscure
from vision.stills import as_seen

from citizen_reports.examination.previews import preview_of
from citizen_reports.examination.verdict import BeyondLimits
from citizen_reports.model.findings import PREVIEW_TYPE, Finding, Taken

PIXELS_MAX: Final = 50_000_000
FORMATS: Final = ("JPEG", "PNG", "WEBP")


def blurred_picture(file: IO[bytes], line: bytes, blurred: IO[bytes]) -> Finding:
    """Write the blurred form of a photograph, a JPEG, to `blurred`. `line` is the boxes' JSON.

    Raises BeyondLimits for more than PIXELS_MAX pixels, and the decoder's errors for damaged files.
    """
    boxes = json.loads(line)
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > PIXELS_MAX:
            raise BeyondLimits
        picture = np.array(as_seen(image))
    height, width = picture.shape[:2]
    parts = [[0, 0, width, height]] if boxes is None else boxes
    obscure(picture, [Box(*part) for part in parts])
    blurred.write(preview_of(Image.fromarray(picture)))
    return Finding(PREVIEW_TYPE, PREVIEW_TYPE, Taken())
