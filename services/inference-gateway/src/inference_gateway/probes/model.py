"""Golden probes (pictures of known content), the check of the answers, and the state of the AI
functions.

All probes are sent in rounds. A function that is wrong or late in two rounds in a row is degraded.
It recovers when every answer of a round is right and in time. Only these two changes are reported.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from importlib import resources
from math import ceil
from typing import Any, Final
from uuid import UUID

import numpy as np
from vision.arrays import Floats
from vision.boxes import Box
from vision.detector import Detections
from vision.objects import VEHICLES

RIGHT_SHARE: Final = 0.85
"""The least share of a function's probes answered right for a round to count as right."""
SAME_PLACE: Final = 0.5
"""The least intersection over union of a right detection with the true box."""
NEARER: Final = 1.5
"""By this factor is a drawn person's template nearer to his own than to another's."""


class Function(StrEnum):
    """The AI functions that are probed, named as in the protobuf enum ProbedFunction."""

    PLATES = "PLATES"
    FACES = "FACES"
    OBJECTS = "OBJECTS"


@dataclass(frozen=True)
class Probe:
    """A picture and its true content: a plate, an object or a face. The picture tests only the AI
    functions whose true answer is set here."""

    name: str
    content: bytes = field(repr=False)
    plate: str = ""
    # Of the object; "vehicle" stands for every kind of vehicle.
    label: str = ""
    seen: Box | None = None
    person: str = ""
    face: Box | None = None


@dataclass(frozen=True)
class LookedAt:
    """The models' answer to a probe, and the seconds it took. `sight` has the plates and objects.
    `sight` or `faces` is None if it was not requested or the model gave no answer. `template` is
    the embedding of the first face."""

    probe: Probe
    seconds: float
    sight: Detections | None = None
    faces: tuple[Box, ...] | None = None
    # Of the first face, float32 [128].
    template: Floats | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Found:
    """The result of one round for one AI function. `probes` is the number of probes, and the field
    `right` is the number of right answers."""

    function: Function
    probes: int
    right: int
    slowest_seconds: float
    slowest_allowed_seconds: float

    @property
    def right_at_least(self) -> int:
        """The least number of right answers in a good round: 85 % of the probes, rounded up."""
        return ceil(RIGHT_SHARE * self.probes)

    @property
    def in_time(self) -> bool:
        """Whether the slowest answer came within the allowed time."""
        return self.slowest_seconds <= self.slowest_allowed_seconds

    @property
    def holds(self) -> bool:
        """Whether enough answers were right and all were in time; if not, the round counts as
        wrong."""
        return self.right >= self.right_at_least and self.in_time

    @property
    def is_whole(self) -> bool:
        """Whether every answer was right and in time; only such a round ends a degradation."""
        return self.right == self.probes and self.in_time


@dataclass(frozen=True)
class Standing:
    """The state of one AI function (plates, faces or objects) after its last round of probes.

    `right_at` is when a round last had all answers right and in time. `wrong_since` is when the
    first of the current wrong rounds in a row ended; None if the last round was not wrong.
    `degradation_id` and `since` (the start of the degradation) are None unless the function is
    degraded.
    """

    function: Function
    # When every answer of a round was last right and in time.
    right_at: datetime | None = None
    # When the first of the current wrong rounds in a row ended; None if the last was not wrong.
    wrong_since: datetime | None = None
    degradation_id: UUID | None = None
    since: datetime | None = None

    @property
    def is_sure(self) -> bool:
        """Whether the function is not degraded and its last round was not wrong. If this is False
        for any function, the next round of probes begins after a shorter pause."""
        return self.wrong_since is None and self.degradation_id is None

    def after(self, found: Found, now: datetime, new_id: UUID) -> "Standing":
        """Return the state after a round with the result `found` that ended at `now`. If a
        degradation begins, its id is `new_id`. If the returned `degradation_id` differs from this
        one, the caller must emit an event."""
        if found.is_whole:
            return Standing(self.function, right_at=now)
        if found.holds:
            return replace(self, wrong_since=None)
        if self.degradation_id is not None:
            return self
        if self.wrong_since is None:
            return replace(self, wrong_since=now)
        # Whatever was told since it was last known to be right is in doubt. A clock that has been
        # set back since may have told of moments that are still to come: the earliest holds.
        known = (self.right_at, self.wrong_since, now)
        since = min(moment for moment in known if moment is not None)
        return replace(self, degradation_id=new_id, since=since)


def until_due(pause: float, *, last: datetime, now: datetime) -> float:
    """Return the seconds until the next round of probes is due, at most `pause`. Returns 0 or less
    if it is due now. `last` is when the last round ended; the next is due `pause` seconds later.

    If the clock was set back, `last` can be later than `now`. Then `pause` is returned, or 0 if
    `last` is more than `pause` seconds later than `now`.
    """
    ahead = (last - now).total_seconds()
    return 0.0 if ahead > pause else min(pause, pause + ahead)


def found_in(
    looked: Sequence[LookedAt], *, slowest_allowed_seconds: float
) -> Mapping[Function, Found]:
    """Return each AI function's result in one round. `looked` has the answers to all probes; an
    answer is in time if it took at most `slowest_allowed_seconds`."""
    judged: dict[Function, list[tuple[bool, float]]] = {function: [] for function in Function}
    for one in looked:
        if one.probe.plate:
            judged[Function.PLATES].append((reads_right(one), one.seconds))
        if one.probe.seen is not None:
            judged[Function.OBJECTS].append((sees_right(one), one.seconds))
        if one.probe.face is not None:
            judged[Function.FACES].append((knows_right(one, looked), one.seconds))
    return {
        function: Found(
            function,
            len(answers),
            sum(right for right, _ in answers),
            max((seconds for _, seconds in answers), default=0.0),
            slowest_allowed_seconds,
        )
        for function, answers in judged.items()
    }


def reads_right(one: LookedAt) -> bool:
    """Whether exactly one legible plate was read and has exactly the probe's text."""
    plates = one.sight.plates if one.sight else ()
    return [plate.text for plate in plates if plate.legible] == [one.probe.plate]


def sees_right(one: LookedAt) -> bool:
    """Whether an object with the probe's label was detected in the right place, that is, with an
    IoU (intersection over union) of at least 0.5 with the true box."""
    truth = one.probe.seen
    labels = VEHICLES if one.probe.label == "vehicle" else {one.probe.label}
    objects = one.sight.objects if one.sight else ()
    return truth is not None and any(
        seen.label in labels and seen.box.iou(truth) >= SAME_PLACE for seen in objects
    )


def knows_right(one: LookedAt, everybody: Sequence[LookedAt]) -> bool:
    """Whether the answer `one` has exactly one face, in the right place, and the person is clearly
    recognised. `everybody` has all answers of the round.

    The face's template (embedding) is compared with all other pictures of the round. Take the
    greatest distance to a picture of the same person, times `NEARER`. The person is clearly
    recognised if this is less than the smallest distance to a picture of another person.
    """
    if one.faces is None or one.probe.face is None or one.template is None:
        return False
    if len(one.faces) != 1 or one.faces[0].iou(one.probe.face) < SAME_PLACE:
        return False
    own, others = _distances(one, everybody, same=True), _distances(one, everybody, same=False)
    return bool(own and others) and max(own) * NEARER < min(others)


def _distances(one: LookedAt, everybody: Sequence[LookedAt], *, same: bool) -> list[float]:
    assert one.template is not None
    return [
        float(np.linalg.norm(one.template - other.template))
        for other in everybody
        if other is not one
        and other.template is not None
        and (other.probe.person == one.probe.person) is same
    ]


def load() -> tuple[Probe, ...]:
    """Return the probes shipped with this package. The pictures are synthetic, drawn by `python -m
    tartip_scenes.probes`."""
    folder = resources.files("inference_gateway") / "probes" / "pictures"
    truth: list[dict[str, Any]] = json.loads((folder / "truth.json").read_text())
    return tuple(
        Probe(
            told["picture"],
            (folder / told["picture"]).read_bytes(),
            told["plate"],
            told["label"],
            _box(told["seen"]),
            told["person"],
            _box(told["face"]),
        )
        for told in truth
    )


def _box(told: list[float] | None) -> Box | None:
    return Box(*told) if told else None
