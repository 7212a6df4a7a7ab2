"""Measures alarms about left objects on films with an abandoned bag, and on films without one.

The file abandoned/truth.json describes each film with a bag. It states where the bag lies, in which
frame the owner walks away, and from which frame the owner is out of view. On the other films, every
alarm is false.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vision.arrays import Picture
from vision.background.left_objects import LeftObjectFact, LeftObjects, Stage
from vision.boxes import Box
from vision.people import detection as persons

from accuracy.films import films, frames, frames_of, rate_of
from accuracy.models import ModelsAlone
from accuracy.page import Page

FRAMES_PER_SECOND: Final = 5.0
VIDEO_SCALE: Final = persons.InferenceScale(640, mirrored=False)
FILM_THRESHOLD: Final = 0.35
ON_IT: Final = 0.2
PATIENCE_SECONDS: Final = 15.0
FRAMES_TO_SPARE: Final = 10
"""The tolerance of the truth, which was read by eye, in frames."""


@dataclass(frozen=True, slots=True)
class Bag:
    """Where an abandoned bag lies, and when its owner leaves it, according to the truth file.

    The field `box` is None if the place is unknown. The owner walks away at `away` and is out of
    view at `gone`. The field `to_spare` is the tolerance of both times. All times are in seconds
    from the film's start.
    """

    box: Box | None
    away: float
    gone: float
    to_spare: float


@dataclass(frozen=True, slots=True)
class Alarm:
    fact: LeftObjectFact
    picture: Picture


def measure(folder: Path, models: ModelsAlone, page: Page) -> None:
    page.say("## Left objects\n")
    truth = _truth(folder / "abandoned/truth.json")
    rows, silent_seconds, false_alarms = [], 0.0, 0
    for film in films(folder):
        bag = bag_of(truth[film.name], rate_of(film)) if film.name in truth else None
        alarms = alarms_in(film, models)
        at = ", ".join(f"{alarm.fact.at_seconds:.1f} s" for alarm in alarms) or "-"
        if bag is None:
            silent_seconds += _length(film)
            false_alarms += len(alarms)
            rows.append((film.name, len(alarms), at, "no bag", "-", "NO" if alarms else "yes"))
        else:
            good = in_order(alarms, bag)
            on = ", ".join(f"{_on(alarm, bag):.2f}" for alarm in alarms) or "-"
            when = f"{bag.away:.1f} s, {bag.gone:.1f} s"
            rows.append((film.name, len(alarms), at, when, on, "yes" if good else "NO"))
        if bag is None or not good:
            _show(film, alarms, bag, page)
    page.table("film | alarms | at | owner away, out of view | on the object | in order", rows)
    if silent_seconds:
        hours = silent_seconds / 3600
        most = -math.log(0.05) / hours if not false_alarms else math.nan
        bound = "" if math.isnan(most) else f" (95 % sure: fewer than {most:.0f} an hour)"
        page.say(
            f"False alarms in {silent_seconds / 60:.1f} minutes of film without a bag: "
            f"{false_alarms}, that is {false_alarms / hours:.1f} an hour{bound}."
        )


def bag_of(told: dict[str, Any], rate: float) -> Bag | None:
    """Return the bag that an entry of the truth file describes. `told` is the entry.

    None if the entry states neither when the owner walks away nor when the owner is out of view. If
    the entry states no frame rate, `rate` is used, the frame rate of the film.
    """
    rate = float(told.get("fps") or rate)
    away: Any = told.get("owner_walks_away_frame")
    gone: Any = told.get("owner_out_of_view_frame", away)
    if away is None and gone is None:
        return None
    first = away if away is not None else gone
    boxes = [value for key, value in told.items() if "box_xywh" in key and value]
    spare = float(told.get("tolerance_frames", FRAMES_TO_SPARE)) / rate
    return Bag(
        Box(*(float(number) for number in boxes[0])) if boxes else None,
        float(first) / rate,
        float(gone) / rate,
        spare,
    )


def alarms_in(film: Path, models: ModelsAlone) -> list[Alarm]:
    watch, alarms = LeftObjects(), []
    for at, picture in frames(film, FRAMES_PER_SECOND):
        for fact in watch.add(picture, _people(picture, models), at=at):
            if fact.stage is Stage.LEFT:
                alarms.append(Alarm(fact, picture))
    return alarms


def in_order(alarms: list[Alarm], bag: Bag) -> bool:
    """Whether there is exactly one alarm, on the bag, and at the right time.

    The right time begins when the owner walks away, less the tolerance `to_spare`. It ends 15 s
    after the owner is out of view.
    """
    if len(alarms) != 1 or _on(alarms[0], bag) <= ON_IT:
        return False
    at = alarms[0].fact.at_seconds
    return bag.away - bag.to_spare <= at <= bag.gone + PATIENCE_SECONDS


def _on(alarm: Alarm, bag: Bag) -> float:
    return alarm.fact.box.iou(bag.box) if bag.box else 1.0


def _people(picture: Picture, models: ModelsAlone) -> list[Box]:
    anchors = models.ask("object_detector", persons.for_detector(picture, VIDEO_SCALE)[None])[0]
    seen = persons.people_at_scale(anchors, picture, VIDEO_SCALE)
    return [one.box for one in seen if one.score > FILM_THRESHOLD]


def _show(film: Path, alarms: list[Alarm], bag: Bag | None, page: Page) -> None:
    for alarm in alarms:
        boxes = [alarm.fact.box] + ([bag.box] if bag and bag.box else [])
        why = f"alarm at {alarm.fact.at_seconds:.1f} s"
        page.failed(film.stem, alarm.picture, why, boxes)
    if bag is not None and not alarms:
        *_, (_, last) = frames(film, 1.0)
        page.failed(film.stem, last, "no alarm", [bag.box] if bag.box else [])


def _length(film: Path) -> float:
    return frames_of(film) / rate_of(film)


def _truth(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}
