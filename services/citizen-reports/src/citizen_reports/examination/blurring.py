"""Makes the blurred form of a photograph: smaller, and with some parts replaced by a mosaic.

Runs in the process that examines a file. A line of JSON before the photograph names the parts: a
list of boxes [x, y, width, height] in pixels, or null for all of it.
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
    """Write the blurred form of a photograph to `blurred`. `line` is the JSON that names the parts.

    Raises BeyondLimits, and whatever the decoder raises for a damaged file.
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
