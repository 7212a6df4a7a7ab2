"""Measures counts of people in stills, and boxes of people in sequences in MOTChallenge's format.

The truth about a still is a sentence, such as "16-20 people (read by eye)". Where one number is
needed, the middle of a range counts. If a range has no upper end, its lower end counts.
"""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from vision.arrays import Picture
from vision.boxes import Box
from vision.objects import DetectedObject
from vision.people import detection as persons

from accuracy.films import NOTES, PICTURE_ENDINGS, opened
from accuracy.models import ModelsAlone
from accuracy.page import Page
from accuracy.shares import Share

TALL_PIXELS: Final = 150
VISIBLE: Final = 0.25
FOUND: Final = 0.5
MOST_FRAMES: Final = 40
WORTH_A_LOOK: Final = 0.15
OVERLOOKED_KINDS: Final = (2, 7, 8, 12)  # MOT17: on vehicles, static, distractors, reflections
_PEOPLE: Final = re.compile(
    r"(?P<least>\d+)(?:\s*(?:-|–|to)\s*(?P<most>\d+))?\s+(?:\w+\s+)?(?:people|persons?|pedestrians?)"
)
_MORE: Final = re.compile(r"(?:\+\s*|and\s+)(?P<least>\d+)(?:\s+or)?\s+more")


@dataclass(frozen=True, slots=True)
class Told:
    """The true number of people in a still, as a range from `least` to `most`.

    `most` is None if the range has no upper end.
    """

    least: int
    most: int | None

    @property
    def middle(self) -> float:
        return self.least if self.most is None else (self.least + self.most) / 2

    def outside(self, count: int) -> float:
        """The number of people by which a count is above or below the range. It is 0 within the
        range."""
        above = 0 if self.most is None else count - self.most
        return max(self.least - count, above, 0)

    def __str__(self) -> str:
        return f"{self.least} or more" if self.most is None else f"{self.least} - {self.most}"


@dataclass(frozen=True, slots=True)
class Marked:
    box: Box
    counts: bool
    visible: float
    overlooked: bool


@dataclass(slots=True)
class Tall:
    """Shares of correct results for people and detected boxes taller than `TALL_PIXELS`.

    The field `found` is the share of annotated people that were detected. The field `visible_found`
    counts only people of whom at least a quarter is visible (`VISIBLE`). The field `claims_right`
    is the share of detected boxes that match a person.
    """

    found: Share = field(default_factory=Share)
    visible_found: Share = field(default_factory=Share)
    claims_right: Share = field(default_factory=Share)


@dataclass(slots=True)
class Errors:
    of_middle: list[float] = field(default_factory=list)
    of_range: list[float] = field(default_factory=list)
    empty: int = 0
    invented: int = 0

    def add(self, told: Told, count: int) -> None:
        if told.middle == 0:
            self.empty += 1
            self.invented += count
        else:
            self.of_middle.append(abs(count - told.middle) / told.middle)
            self.of_range.append(told.outside(count) / told.middle)


def measure(folder: Path, models: ModelsAlone, page: Page) -> None:
    home = folder / "pedestrians"
    page.say("## People in stills and marked sequences\n")
    errors, tall, rows = Errors(), Tall(), []
    for name, told in stills(home).items():
        picture = opened(home / name)
        if picture is not None:
            rows.append(_still(Path(name).name, told, picture, models, errors, page))
    for truth in sorted(home.glob("*/gt/gt.txt")):
        rows += _sequence(truth.parents[1], models, errors, tall, page)
    page.table("picture | people | counted | error", rows)
    if errors.of_middle:
        page.say(
            f"Mean error of counts over {len(errors.of_middle)} pictures with people: "
            f"**{np.mean(errors.of_middle):.1%}** against the middle of the range, "
            f"{np.mean(errors.of_range):.1%} outside of the range (aim: under 15 %). People "
            f"invented in {errors.empty} pictures without any: {errors.invented}."
        )
    if tall.found.of:
        page.say(
            f"\nTaller than {TALL_PIXELS} px in the sequences, boxes overlapping by {FOUND}: of "
            f"those at least a quarter visible {tall.visible_found} found (aim 95 %); with those "
            f"hidden behind others {tall.found}; of the tall boxes {tall.claims_right} right "
            f"(aim 90 %)."
        )


def stills(home: Path) -> dict[str, Told]:
    """The true numbers of people by file name, from `truth.csv` in the folder `home`.

    Pictures without a number in `truth.csv` are left out.
    """
    path = home / "truth.csv"
    if not path.exists():
        NOTES.print(f"left out: {path} is not there", style="yellow")
        return {}
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {row["file"]: number_of_people(row.get("truth") or "") for row in rows}
    return {
        name: told
        for name, told in found.items()
        if told is not None and Path(name).suffix.lower() in PICTURE_ENDINGS
    }


def number_of_people(sentence: str) -> Told | None:
    """Return the number of people stated in a sentence of the truth file. None if there is no
    number."""
    found = _PEOPLE.search(sentence)
    if found is None:
        return None
    least = int(found["least"])
    more = _MORE.search(sentence, found.end())
    if more is not None:
        return Told(least + int(more["least"]), None)
    return Told(least, int(found["most"]) if found["most"] else least)


def looks(
    picture: Picture, models: ModelsAlone
) -> dict[persons.InferenceScale, list[DetectedObject]]:
    """Detect people in a picture at several scales. Returns the detections by scale.

    The scales are those of the configurations `persons.COUNTING` and `persons.CERTAIN`.
    """
    wanted = dict.fromkeys((*persons.COUNTING.scales, *persons.CERTAIN.scales))
    found = {}
    for look in wanted:
        anchors = models.ask("object_detector", persons.for_detector(picture, look)[None])[0]
        found[look] = persons.people_at_scale(anchors, picture, look)
    return found


def _still(
    name: str, told: Told, picture: Picture, models: ModelsAlone, errors: Errors, page: Page
) -> tuple[str, ...]:
    found = persons.people(looks(picture, models), picture, persons.COUNTING)
    count = len(found)
    errors.add(told, count)
    wrong = abs(count - told.middle) / told.middle if told.middle else float(count)
    if wrong > WORTH_A_LOOK:
        page.failed(name, picture, f"{told} people, counted {count}", [one.box for one in found])
    error = f"{wrong:.0%}" if told.middle else f"{count} invented"
    return name, str(told), str(count), error


def _sequence(
    folder: Path, models: ModelsAlone, errors: Errors, tall: Tall, page: Page
) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    truth = mot_truth(folder / "gt/gt.txt")
    shown = {int(p.stem): p for p in (folder / "img1").glob("*") if p.stem.isdigit()}
    there = sorted(set(truth) & set(shown))
    for number in there[:: max(1, len(there) // MOST_FRAMES)]:
        picture = opened(shown[number])
        if picture is None:
            continue
        marked, seen = truth[number], looks(picture, models)
        people = sum(row.counts for row in marked)
        count = len(persons.people(seen, picture, persons.COUNTING))
        errors.add(Told(people, people), count)
        sure = persons.people(seen, picture, persons.CERTAIN)
        missed, wrong = compare(sure, marked, tall)
        if missed or wrong:
            why = f"{len(missed)} tall people missed, {len(wrong)} tall boxes wrong"
            page.failed(f"{folder.name} {number}", picture, why, missed + wrong)
        error = f"{abs(count - people) / people:.0%}" if people else f"{count} invented"
        rows.append((f"{folder.name} frame {number}", str(people), str(count), error))
    return rows


def mot_truth(path: Path) -> dict[int, list[Marked]]:
    """Read the annotated boxes of a MOTChallenge ground truth file. Returns the boxes by frame
    number.

    The file's columns are frame, track, x, y, w, h, flag (1: to be evaluated), class, visibility.
    """
    truth: dict[int, list[Marked]] = {}
    with path.open(newline="") as stream:
        for row in csv.reader(stream):
            if len(row) < 6:
                continue
            frame, _, x, y, w, h, flag, kind, visible = [*row, "1", "1", "1"][:9]
            box = Box(float(x), float(y), float(w), float(h))
            counts = int(float(flag)) == 1 and int(float(kind)) == 1
            overlooked = int(float(kind)) in OVERLOOKED_KINDS
            truth.setdefault(int(frame), []).append(Marked(box, counts, float(visible), overlooked))
    return truth


def compare(
    sure: list[DetectedObject], marked: list[Marked], tall: Tall
) -> tuple[list[Box], list[Box]]:
    """Compare the people detected in a frame (`sure`) with its annotated boxes (`marked`).

    The result is added to `tall`. Returns two lists: the annotated boxes of visible tall people
    that were missed, and the detected tall boxes that are wrong.
    """
    free = [row for row in marked if row.counts]
    wanted = [row for row in free if row.box.height > TALL_PIXELS]
    found, wrong = [], []
    for one in sure:
        best = max(free, key=lambda row: row.box.iou(one.box), default=None)
        right = best is not None and best.box.iou(one.box) >= FOUND
        if right and best is not None:
            free.remove(best)
            found.append(best)
        elif any(row.overlooked and row.box.iou(one.box) > FOUND for row in marked):
            continue
        if one.box.height > TALL_PIXELS:
            tall.claims_right += Share(int(right), 1)
            if not right:
                wrong.append(one.box)
    visible = [row for row in wanted if row.visible >= VISIBLE]
    tall.found += Share(sum(row in found for row in wanted), len(wanted))
    tall.visible_found += Share(sum(row in found for row in visible), len(visible))
    return [row.box for row in visible if row not in found], wrong
