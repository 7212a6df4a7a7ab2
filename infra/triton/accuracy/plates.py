"""Measures plate reading: the share of pictures read exactly, and the share called legible.

It also measures how many of the texts that the pipeline calls legible are right, and how often a
plate is read in a picture that shows none. If a picture has several plates, the one that the
pipeline ranks first is compared with the truth. Texts are compared without spaces and dashes, with
O as 0 and I as 1.
"""

import asyncio
import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
from evaluate import AMBIGUOUS, Outcome, Shown, scenes
from rich.progress import track
from tartip_scenes.forms import ONE_LINE_KAZAKH_KINDS, TWO_ROW_KAZAKH_KINDS, PlateKind
from vision.arrays import Picture
from vision.detector import Detector
from vision.pictures import open_picture
from vision.plates.reading import Plate

from accuracy.films import NOTES, opened, pictures
from accuracy.models import ModelsAlone
from accuracy.page import Page
from accuracy.shares import Share

PATIENCE: Final = 3600.0
RENDERED: Final = 120
FIRST_SCENE: Final = 240_000
"""The seed of the first rendered scene, far from those of training, tests and earlier runs."""
FIRST_ALIKE_SCENE: Final = 260_000
ALIKE: Final = "one line, of letters and digits that look alike (B 8, D 0, G 6, I 1, O 0, S 5, Z 2)"
COMMON_KAZAKH_KINDS: Final = (PlateKind.PERSON, PlateKind.ENTITY, PlateKind.PERSON_1993)
DARK: Final = 70.0
DIM: Final = 105.0
SIZES: Final = ((40, "under 40 px"), (80, "40 to 80 px"), (160, "80 to 160 px"))


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture that the truth file describes, and what is known about its plates.

    `texts` are the texts of all plates; it is empty if the picture shows no plate. `rows` is the
    number of lines of a plate ("1" if unknown); `width` is the plate's width in pixels, None if
    unknown.
    """

    path: Path
    texts: frozenset[str]
    country: str
    rows: str
    width: float | None


@dataclass(frozen=True, slots=True)
class Answered:
    outcome: Outcome
    picture: Picture

    @property
    def light(self) -> str:
        mean = float(cv2.cvtColor(self.picture, cv2.COLOR_BGR2GRAY).mean())
        return "dark" if mean < DARK else "dim" if mean < DIM else "bright"


def measure(folder: Path, models: ModelsAlone, page: Page, *, rendered: int = RENDERED) -> None:
    looker = Detector(models, seconds=PATIENCE)
    page.say("## Plates\n")
    labelled = truth(folder / "plates")
    answers = _photographs(labelled, looker)
    one_line = [(row, answer) for row, answer in answers if row.texts and row.rows == "1"]
    two_rows = [(row, answer) for row, answer in answers if row.texts and row.rows != "1"]
    _whole(one_line, two_rows, page)
    _parted(one_line, page)
    _each_kazakh(one_line + two_rows, page)
    _rendered(rendered, looker, page)
    plateless = [row.path for row in labelled if not row.texts]
    plateless += [p for part in ("faces", "pedestrians") for p in pictures(folder / part)]
    _nothing_there(plateless, looker, page)


def truth(home: Path) -> list[Labelled]:
    """Read the rows of `truth.csv` in the folder `home`; [] if there is no such file."""
    path = home / "truth.csv"
    if not path.exists():
        NOTES.print(f"left out: {path} is not there", style="yellow")
        return []
    with path.open(newline="") as stream:
        return [
            Labelled(
                home / row["file"],
                _texts(row.get("plate_text") or ""),
                row.get("country") or "-",
                row.get("lines") or "1",
                _width(row.get("box_xywh") or ""),
            )
            for row in csv.DictReader(stream)
        ]


def _photographs(labelled: list[Labelled], looker: Detector) -> list[tuple[Labelled, Answered]]:
    answers = []
    for row in track(labelled, "photographs", console=NOTES, transient=True):
        if row.texts and opened(row.path) is not None:
            shown = Shown(row.path.name, row.texts, row.path.read_bytes)
            answers.append((row, asyncio.run(_look(looker, shown))))
    return answers


async def _look(looker: Detector, shown: Shown) -> Answered:
    picture = open_picture(shown.content())
    sight = await looker.detect(picture)
    return Answered(Outcome(shown, sight.plates, 0.0), picture)


def _whole(
    one_line: list[tuple[Labelled, Answered]], two_rows: list[tuple[Labelled, Answered]], page: Page
) -> None:
    rows = []
    for what, chosen in (("one line", one_line), ("two rows", two_rows)):
        answers = [answer for _, answer in chosen]
        rows.append((f"real photographs, {what}", *_reading(answers)))
        for row, answer in chosen:
            _show_failure(answer, row.country, page)
    page.table(
        "pictures | read exactly | first plate called legible | legible and right "
        "| every legible one, right",
        rows,
    )
    page.say(
        "A legible plate beside the labelled one may be another car's; each is in the failures.\n"
    )


def _reading(answers: list[Answered]) -> tuple[str, ...]:
    exact = Share(sum(a.outcome.right for a in answers), len(answers))
    acting = [a for a in answers if a.outcome.plates and a.outcome.plates[0].legible]
    right = Share(sum(a.outcome.right for a in acting), len(acting))
    every = sum((_acting(a) for a in answers), Share())
    return str(exact), str(Share(len(acting), len(answers))), str(right), str(every)


def _acting(answer: Answered) -> Share:
    """Every plate that may act, not the first alone."""
    legible = [plate for plate in answer.outcome.plates if plate.legible]
    return Share(sum(_is_true(plate, answer) for plate in legible), len(legible))


def _is_true(plate: Plate, answer: Answered) -> bool:
    wanted = {text.translate(AMBIGUOUS) for text in answer.outcome.shown.truth}
    return plate.text.translate(AMBIGUOUS) in wanted


def _parted(one_line: list[tuple[Labelled, Answered]], page: Page) -> None:
    """By country, light of the picture, and width of the plate."""
    groups: dict[str, dict[str, Share]] = defaultdict(lambda: defaultdict(Share))
    for row, answer in one_line:
        share = Share(int(answer.outcome.right), 1)
        width = row.width
        if width is None and answer.outcome.right:
            width = answer.outcome.plates[0].box.width
        groups["country"][row.country] += share
        groups["light"][answer.light] += share
        groups["width"][_size(width)] += share
    page.say(
        "One line, by country, by the light of the picture (its mean grey) and by the width "
        "of the plate (as labelled, else as read):\n"
    )
    page.table(
        "by | which | read exactly",
        (
            (by, which, share)
            for by, parts in groups.items()
            for which, share in sorted(parts.items())
        ),
    )


def _each_kazakh(answers: Iterable[tuple[Labelled, Answered]], page: Page) -> None:
    rows = []
    for row, answer in answers:
        if "KZ" in row.country:
            first = answer.outcome.plates[0] if answer.outcome.plates else None
            read = f"{first.text} ({first.confidence:.2f})" if first else "-"
            legible = "yes" if first and first.legible else "no"
            rows.append((row.path.name, "|".join(sorted(row.texts)), read, legible))
    if rows:
        page.say("Each real Kazakh plate:\n")
        page.table("picture | truth | read | legible", rows)


def _rendered(number: int, looker: Detector, page: Page) -> None:
    """Streets and fonts that no model was trained on."""
    rows = []
    for what, count, kinds, first in (
        ("one line", number, ONE_LINE_KAZAKH_KINDS, FIRST_SCENE),
        ("two rows", number // 2, TWO_ROW_KAZAKH_KINDS, FIRST_SCENE),
        (ALIKE, number, COMMON_KAZAKH_KINDS, FIRST_ALIKE_SCENE),
    ):
        answers = []
        by_light: dict[str, Share] = defaultdict(Share)
        drawn: Iterator[Shown] = iter(scenes(count, first, kinds, alike=what == ALIKE))
        for shown in track(drawn, f"rendered, {what}", total=count, console=NOTES, transient=True):
            answer = asyncio.run(_look(looker, shown))
            answers.append(answer)
            by_light[shown.name.split()[-1]] += Share(int(answer.outcome.right), 1)
            _show_failure(answer, "KZ rendered", page)
        rows.append((f"rendered Kazakh, {what}", *_reading(answers)))
        rows += [(f"- by {light}", str(share), "", "", "") for light, share in by_light.items()]
    page.table(
        "pictures | read exactly | first plate called legible | legible and right "
        "| every legible one, right",
        rows,
    )


def _nothing_there(paths: list[Path], looker: Detector, page: Page) -> None:
    """False plates where there is none: acting ones, and any at all."""
    acting, any_read = Share(), Share()
    for path in track(paths, "without a plate", console=NOTES, transient=True):
        picture = opened(path)
        if picture is None:
            continue
        answer = Answered(
            Outcome(
                Shown(path.name, frozenset(), path.read_bytes),
                asyncio.run(looker.detect(picture)).plates,
                0.0,
            ),
            picture,
        )
        legible = [plate for plate in answer.outcome.plates if plate.legible]
        acting += Share(int(bool(legible)), 1)
        any_read += Share(int(bool(answer.outcome.plates)), 1)
        if answer.outcome.plates:
            _show_failure(answer, "no plate", page)
    page.say(
        f"Pictures without a readable plate (portraits, people, streets, lettering): **{acting}** "
        f"gave a plate that may act, {any_read} gave any."
    )


def _show_failure(answer: Answered, country: str, page: Page) -> None:
    wrong = [
        plate for plate in answer.outcome.plates if plate.legible and not _is_true(plate, answer)
    ]
    nothing = not answer.outcome.shown.truth
    if answer.outcome.right and not wrong and not (nothing and answer.outcome.plates):
        return
    read = ", ".join(
        f"{plate.text} {plate.confidence:.2f}{' legible' if plate.legible else ''}"
        for plate in answer.outcome.plates[:3]
    )
    why = f"{country}, truth {'|'.join(sorted(answer.outcome.shown.truth)) or 'none'}, read {read}"
    boxes = [plate.box for plate in answer.outcome.plates[:3]]
    page.failed(answer.outcome.shown.name, answer.picture, why, boxes)


def _size(width: float | None) -> str:
    if width is None:
        return "not known"
    return next((name for most, name in SIZES if width < most), "160 px or more")


def _width(box: str) -> float | None:
    numbers = box.split()
    return float(numbers[2]) if len(numbers) == 4 else None


def _texts(listed: str) -> frozenset[str]:
    plain = (text.replace(" ", "").replace("-", "").upper() for text in listed.split("|"))
    return frozenset(text for text in plain if text)
