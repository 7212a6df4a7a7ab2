"""Measures counts of vehicles that cross a line, by direction, on the films in the truth file.

If the truth file states no line, one across the middle of the picture is used. If it states no
direction, vehicles in both directions are counted together. Boxes of vehicles in the outer lanes
reach beyond the lanes. Therefore each end of the line inside the picture is moved outwards by a
third of the line's length, at most to the picture's edge.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vision.arrays import Picture
from vision.objects import VEHICLES, DetectedObject
from vision.people import detection as persons
from vision.tracking.tracker import Tracker
from vision.vehicles import MovingObjects, VehicleCounter, joined
from vision.zones.shapes import FrameSize, Line, Point

from accuracy.films import NOTES, films, frames, rate_of
from accuracy.models import ModelsAlone
from accuracy.page import Page

VIDEO_SCALE: Final = persons.InferenceScale(640, mirrored=False)
LONGER: Final = 4 / 3
ALLOWED: Final = 1
_SIDES: Final = {
    "left": Point(0, 0.5),
    "right": Point(1, 0.5),
    "top": Point(0.5, 0),
    "bottom": Point(0.5, 1),
}
_AT: Final = re.compile(r"\b([xy])\s*=\s*([\d.]+\d)")
_BETWEEN: Final = re.compile(r"\b([xy])\s+from\s+([\d.]*\d)\s+to\s+([\d.]*\d)")


@dataclass(frozen=True, slots=True)
class Traffic:
    """The truth about a film: the line, and how many vehicles cross it forward and backward.

    If `backward` is None, `forward` counts the vehicles of both directions.
    """

    line: Line
    forward: int
    backward: int | None


def measure(folder: Path, models: ModelsAlone, page: Page) -> None:
    page.say("## Lines and vehicles\n")
    path = folder / "traffic/truth.json"
    truth = json.loads(path.read_text()) if path.exists() else {}
    there = {film.name: film for film in films(folder / "traffic")}
    rows = []
    for name, told in truth.items():
        traffic = traffic_of(told)
        if name not in there or traffic is None:
            NOTES.print(f"left out: {name}: no film or no count", style="yellow")
            continue
        counter, last = counted(there[name], traffic.line, models)
        ahead, back = counter.forward.total(), counter.backward.total()
        good = in_order(traffic, ahead, back)
        both = counter.forward + counter.backward
        classes = ", ".join(f"{count} {label}" for label, count in both.items()) or "-"
        wanted = f"{traffic.forward} / {'-' if traffic.backward is None else traffic.backward}"
        rows.append((name, wanted, f"{ahead} / {back}", classes, "yes" if good else "NO"))
        if not good and last is not None:
            page.failed(Path(name).stem, last, f"truth {wanted}, counted {ahead} / {back}")
    page.table("film | truth, forward / backward | counted | by class | within one", rows)


def in_order(traffic: Traffic, ahead: int, back: int) -> bool:
    if traffic.backward is None:
        return abs(ahead + back - traffic.forward) <= ALLOWED
    return abs(ahead - traffic.forward) <= ALLOWED and abs(back - traffic.backward) <= ALLOWED


def traffic_of(told: Mapping[str, Any]) -> Traffic | None:
    """Read a film's line and true counts from `told`, the film's entry in the truth file.

    Returns None if the entry states no count.
    """
    count = _count(told)
    if count is None:
        return None
    direction = str(told.get("direction") or "")
    sides = [word for word in re.findall(r"\w+", direction.lower()) if word in _SIDES]
    line = _line(str(told.get("line") or ""), sides)
    backward = int(told.get("wrong_way") or 0) if len(sides) == 2 else None
    return Traffic(line, count, backward)


def counted(film: Path, line: Line, models: ModelsAlone) -> tuple[VehicleCounter, Picture | None]:
    """Count the vehicles that cross a line in a film; return the counter and a frame of the film.

    The frame is the last one in which a vehicle crossed the line. If no vehicle did, it is the
    first frame. It is None for a film without frames.
    """
    moving, tracks = MovingObjects(frames_per_second=rate_of(film)), Tracker()
    counter, shown = VehicleCounter(line, FrameSize(1, 1)), None
    for at, picture in frames(film):
        if shown is None:
            counter, shown = VehicleCounter(line, FrameSize(*picture.shape[1::-1])), picture
        objects = joined(_vehicles(picture, models), moving.add(picture))
        if counter.add(tracks.add(objects, at=at), at=at):
            shown = picture
    return counter, shown


def _count(told: Mapping[str, Any]) -> int | None:
    """The count by its names, or the vehicles listed, or the cars and their like."""
    for key, value in told.items():
        if (key == "count" or key.startswith("count_")) and isinstance(value, int):
            return value
    if isinstance(told.get("vehicles"), list):
        return len(told["vehicles"])
    kinds = [
        told[key]
        for key in ("vehicles", "cars", "trucks", "buses", "motorcycles", "vans")
        if isinstance(told.get(key), int)
    ]
    return sum(kinds) if kinds else None


def _line(told: str, sides: list[str]) -> Line:
    """Crossed forward by whoever goes from the first side to the second."""
    across = bool(sides) and sides[0] in {"left", "right"}
    at = _AT.search(told)
    if at is not None:
        across = at[1] == "x"
    place = float(at[2]) if at else 0.5
    between = _BETWEEN.search(told)
    first, last = _longer(float(between[2]), float(between[3])) if between else (0.0, 1.0)
    ends = (
        [Point(place, y) for y in (first, last)]
        if across
        else [Point(x, place) for x in (first, last)]
    )
    line = Line("truth", ends[0], ends[1])
    if len(sides) == 2 and line.side(_SIDES[sides[1]]) < line.side(_SIDES[sides[0]]):
        line = Line("truth", ends[1], ends[0])
    return line


def _longer(first: float, last: float) -> tuple[float, float]:
    """The ends that lie within the picture, moved out by a third of the length in all."""
    more = (last - first) * (LONGER - 1)
    return (0.0 if first <= 0 else max(0.0, first - more)), (
        1.0 if last >= 1 else min(1.0, last + more)
    )


def _vehicles(picture: Picture, models: ModelsAlone) -> list[DetectedObject]:
    """Faint ones too: they start no track, but what moves there is known."""
    anchors = models.ask("object_detector", persons.for_detector(picture, VIDEO_SCALE)[None])[0]
    return persons.objects_at_scale(anchors, picture, VIDEO_SCALE, labels=VEHICLES)
