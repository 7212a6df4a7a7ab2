"""Draws the golden probes: known pictures on which the inference gateway tests its models hourly.

    python -m tartip_scenes.probes services/inference-gateway/src/inference_gateway/probes/pictures

The pictures are committed. A change of the drawing code therefore does not change what the probes
measure. If the pictures are drawn again, the tests in `services/inference-gateway/tests/component`
must pass.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from tartip_scenes.brush import Picture
from tartip_scenes.faces import draw_face
from tartip_scenes.scenes import Light, draw_scene

WEBP_QUALITY: Final = 85
MARGIN: Final = 70
"""What is left of the street around a car, in pixels."""
CARS: Final = (
    (51, "382KTA02", Light.DAY),
    (57, "914MRB01", Light.DAY),
    (60, "207BNZ05", Light.DAY),
    (49, "645ESD13", Light.DUSK),
    (55, "530PXH16", Light.DUSK),
    (50, "871LKC09", Light.NIGHT),
    (53, "126ZUM03", Light.NIGHT),
    (56, "768YTP17", Light.NIGHT),
)
"""Seed, plate and light."""
PEOPLE: Final = (("a", 0), ("b", 4))
"""Two whom the models tell apart well, for drawn ones."""
FARTHER: Final = 0.6
DARKER: Final = (0.75, 10.0)
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a probe picture shows. The field `picture` is its file name.

    A picture shows one of three things: a car with the text `plate`, an object of the class `label`
    in the box `seen`, or the face of `person` in the box `face`. The fields of the other two are ""
    or None. Boxes are (x, y, width, height) in pixels.
    """

    picture: str
    plate: str = ""
    label: str = ""
    seen: Box | None = None
    person: str = ""
    face: Box | None = None


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [*_cars(folder), *_people(folder)]
    truth = json.dumps([asdict(one) for one in drawn], indent=1)
    (folder / "truth.json").write_text(truth + "\n")
    print(f"{len(drawn)} probes in {folder}")


def _cars(folder: Path) -> list[Drawn]:
    drawn = []
    for number, (seed, text, light) in enumerate(CARS, 1):
        scene = draw_scene(seed, text=text, light=light)
        x, y, width, height = scene.truth.vehicle
        left, top = max(0, int(x) - MARGIN), max(0, int(y) - MARGIN)
        right, bottom = int(x + width) + MARGIN, int(y + height) + MARGIN
        name = _write(folder, f"car-{number}", scene.picture[top:bottom, left:right])
        box = _rounded((x - left, y - top, width, height))
        # A car drawn at night is little more than lamps and a plate: its plate alone is probed.
        known = Drawn(name, text) if light is Light.NIGHT else Drawn(name, text, "vehicle", box)
        drawn.append(known)
    return drawn


def _people(folder: Path) -> list[Drawn]:
    drawn = []
    for person, seed in PEOPLE:
        face = draw_face(seed)
        small = cv2.resize(face.picture, None, fx=FARTHER, fy=FARTHER, interpolation=cv2.INTER_AREA)
        share, added = DARKER
        dark = np.clip(small.astype(np.float32) * share + added, 0, 255).astype(np.uint8)
        for number, (picture, scale) in enumerate(((face.picture, 1.0), (dark, FARTHER)), 1):
            drawn.append(
                Drawn(
                    _write(folder, f"face-{person}-{number}", picture),
                    label="person",
                    seen=_rounded(face.figure, scale),
                    person=person,
                    face=_rounded(face.box, scale),
                )
            )
    return drawn


def _write(folder: Path, name: str, picture: Picture) -> str:
    encoded = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])[1]
    (folder / f"{name}.webp").write_bytes(encoded.tobytes())
    return f"{name}.webp"


def _rounded(box: Box, scale: float = 1.0) -> Box:
    x, y, width, height = (round(side * scale, 1) for side in box)
    return (x, y, width, height)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
