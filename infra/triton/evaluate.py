"""Reads plates in labelled photographs through a running Triton and counts the right readings.

    TARTIP_PHOTOGRAPHS=… .venv/bin/python infra/triton/evaluate.py --url 127.0.0.1:7113 \
        --cert service.pem --key service.key --ca ca.pem

TARTIP_PHOTOGRAPHS is the folder of the photographs. Of several plates in a picture, the one that
the pipeline ranks first is compared with the truth. Texts are compared without spaces and dashes,
with O as 0 and I as 1. The number of texts that match without replacing O and I is printed as well.
Other pictures can be read instead of the photographs:

- `--scenes 60`: 60 rendered one-line Kazakh plates, in fonts that no model was trained on, with
  seeds from `--first` on; `--rows 60`: 60 such plates with two rows of text;
- `--without FOLDER`: pictures that show no plate, so that every plate called legible is wrong.
"""

import argparse
import asyncio
import csv
import fnmatch
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from inference_gateway.triton import Credentials, TritonModels
from tartip_scenes.forms import (
    ONE_LINE_KAZAKH_KINDS,
    TWO_ROW_KAZAKH_KINDS,
    PlateKind,
    alike_text,
)
from tartip_scenes.lettering import HELD_OUT_FONTS
from tartip_scenes.scenes import Scene, draw_scene
from vision.detector import Detector
from vision.pictures import open_picture
from vision.plates.grammar import two_rows
from vision.plates.reading import Plate

MEASURED: Final = ("eub_*", "ua_[0-9]*", "kz_01*")
FIRST_SCENE: Final = 50_000
PATIENCE: Final = 120.0
"""Seconds allowed for a picture; long, as other work may run on the machine meanwhile."""
AMBIGUOUS: Final = str.maketrans("OI", "01")


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture to read, and the true texts of its readable plates, if it shows any."""

    name: str
    truth: frozenset[str]
    content: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    shown: Shown
    plates: tuple[Plate, ...]
    seconds: float

    @property
    def first(self) -> str:
        return self.plates[0].text if self.plates else ""

    @property
    def strict(self) -> bool:
        return self.first in (self.shown.truth or {""})

    @property
    def right(self) -> bool:
        wanted = {text.translate(AMBIGUOUS) for text in self.shown.truth or {""}}
        return self.first.translate(AMBIGUOUS) in wanted


def main() -> int:
    options = _options()
    chosen: Iterable[Shown]
    if options.rows:
        chosen = scenes(options.rows, options.first, TWO_ROW_KAZAKH_KINDS)
    elif options.scenes:
        chosen = scenes(options.scenes, options.first, ONE_LINE_KAZAKH_KINDS)
    elif options.without:
        chosen = plateless(options.without)
    else:
        chosen = photographs(options)
    outcomes = asyncio.run(outcomes_of(chosen, options))
    right = sum(outcome.right for outcome in outcomes)
    strict = sum(outcome.strict for outcome in outcomes)
    acting = [outcome for outcome in outcomes if outcome.plates and outcome.plates[0].legible]
    print(f"read exactly: {right} of {len(outcomes)} (to the letter: {strict})")
    good = sum(outcome.right for outcome in acting)
    print(f"called legible: {len(acting)}, of which right: {good}{_interval(good, len(acting))}")
    print(f"seconds a picture: {sum(o.seconds for o in outcomes) / max(1, len(outcomes)):.2f}")
    return 0 if right >= options.at_least else 1


def photographs(options: argparse.Namespace) -> list[Shown]:
    """Return the labelled photographs to read.

    With the option `--all`, return all of them. Otherwise return only photographs of one-line
    plates whose file names match a pattern in `MEASURED`. Raises SystemExit if there is no truth
    file.
    """
    folder = Path(options.photographs) / "plates"
    if not (folder / "truth.csv").exists():
        raise SystemExit(f"no photographs in {folder}: set TARTIP_PHOTOGRAPHS")
    with (folder / "truth.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        Shown(row["file"], _texts(row["plate_text"]), (folder / row["file"]).read_bytes)
        for row in rows
        if options.all or (row["lines"] == "1" and _measured(row["file"]))
    ]


def plateless(folder: Path) -> list[Shown]:
    """The .jpg and .png files in a folder and its subfolders, labelled as showing no plate."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in {".jpg", ".png"})
    return [Shown(path.name, frozenset(), path.read_bytes) for path in found]


def scenes(
    count: int, first: int, kinds: tuple[PlateKind, ...], *, alike: bool = False
) -> Iterator[Shown]:
    """Render and yield `count` street scenes, with seeds from `first` on.

    The kinds of plates take turns. The plates are in fonts that no model was trained on. With
    `alike`, the texts consist of letters and digits that look alike.
    """
    for seed in range(first, first + count):
        kind = kinds[(seed - first) % len(kinds)]
        text = alike_text(kind, np.random.default_rng([seed, 1])) if alike else None
        scene = draw_scene(seed, kind=kind, text=text, fonts=HELD_OUT_FONTS)
        name = f"{seed} {kind.value} {scene.truth.light.value}"
        yield Shown(name, frozenset({_written(scene)}), partial(_jpeg, scene))


async def outcomes_of(chosen: Iterable[Shown], options: argparse.Namespace) -> list[Outcome]:
    credentials = Credentials(options.cert, options.key, options.ca)
    models = TritonModels(options.url, credentials)
    try:
        looker = Detector(models, seconds=PATIENCE)
        outcomes = []
        for shown in chosen:
            outcomes.append(await _look(looker, shown))
            print(_line(outcomes[-1]), flush=True)
        return outcomes
    finally:
        await models.close()


async def _look(looker: Detector, shown: Shown) -> Outcome:
    content = await asyncio.to_thread(shown.content)
    started = time.perf_counter()
    picture = await asyncio.to_thread(open_picture, content)
    sight = await looker.detect(picture)
    return Outcome(shown, sight.plates, time.perf_counter() - started)


def _line(outcome: Outcome) -> str:
    mark = "read  " if outcome.right else "MISSED"
    truth = "|".join(sorted(outcome.shown.truth)) or "(none)"
    found = " ".join(
        f"{plate.text}:{plate.confidence:.2f}/{plate.score:.2f}{'!' if plate.legible else '?'}"
        for plate in outcome.plates[:4]
    )
    return f"{mark} {outcome.shown.name:20s} {truth:16s} {found or '-'}"


def _written(scene: Scene) -> str:
    """The text in the order of one line."""
    squared = two_rows(scene.truth.text, "") if scene.truth.kind in TWO_ROW_KAZAKH_KINDS else None
    return squared.text if squared else scene.truth.text


def _interval(right: int, count: int) -> str:
    """Wilson's interval of 95 %."""
    if not count:
        return ""
    share, z = right / count, 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) * z
    half /= 1 + z * z / count
    return f" ({share:.1%}, 95 % interval {middle - half:.1%} to {min(1.0, middle + half):.1%})"


def _jpeg(scene: Scene) -> bytes:
    return scene.jpeg


def _measured(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in MEASURED)


def _texts(listed: str) -> frozenset[str]:
    plain = (text.replace(" ", "").replace("-", "").upper() for text in listed.split("|"))
    return frozenset(text for text in plain if text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count the plates read exactly.")
    parser.add_argument("--url", default=os.environ.get("TARTIP_TRITON_URL", "127.0.0.1:7113"))
    for name in ("cert", "key", "ca"):
        variable = f"TARTIP_TLS_{name.upper()}"
        parser.add_argument(f"--{name}", type=Path, default=os.environ.get(variable))
    parser.add_argument("--photographs", default=os.environ.get("TARTIP_PHOTOGRAPHS", ""))
    parser.add_argument("--all", action="store_true", help="every labelled picture")
    parser.add_argument("--scenes", type=int, default=0, help="read so many rendered streets")
    parser.add_argument("--rows", type=int, default=0, help="the same with plates of two rows")
    parser.add_argument("--first", type=int, default=FIRST_SCENE, help="seed of the first street")
    parser.add_argument("--without", type=Path, help="a folder of pictures without plates")
    parser.add_argument("--at-least", type=int, default=0, help="fail below this count")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
