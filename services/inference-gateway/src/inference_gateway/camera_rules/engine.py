"""Runs one camera's rules over its frames: requests inference, and derives facts (what the rules
found).

No I/O: detections and times are passed in. Models run a few times a second. For the frames between,
boxes are moved by optical flow, so that tracks, lines and counts cover every frame. People,
vehicles and other objects have separate trackers that share one sequence of track numbers.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Final

from vision.arrays import Picture
from vision.detector import (
    EMPTY_REQUEST,
    VIDEO_SCALE,
    DetectionRequest,
    Detections,
)
from vision.objects import VEHICLES, DetectedObject, certain
from vision.tracking.optical_flow import OpticalFlowPropagator
from vision.tracking.tracker import Track, Tracker, TrackingRule
from vision.vehicles import MovingObjects, joined
from vision.zones.shapes import FrameSize

from inference_gateway.camera_rules.function import (
    Fact,
    Function,
    Moment,
    Pace,
)
from inference_gateway.camera_rules.model import CameraFunctions
from inference_gateway.camera_rules.registry import KINDS

EVERY_FRAME: Final = 1000.0
PLATE_LOOKS_PER_SECOND: Final = 2.5
"""How often a second plates and faces are detected where other functions need more frames."""
FRAMES_PER_SECOND: Final = 2.0
FORGET_FRAMES: Final = 2.5
ROUNDING: Final = 0.01
MOTION: Final = "vehicles"
"""The name of the function that also gets moving objects which the detector did not recognise."""


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """What the rules found in a frame, and the objects of the frame. Each object has the number of
    its track, 0 if it is not tracked."""

    facts: tuple[Fact, ...]
    objects: tuple[tuple[DetectedObject, int], ...]


def frames_per_second(functions: CameraFunctions) -> float:
    """Return the frame rate at which a video or stream must be read for the configured
    functions."""
    running = [kind.pace.frames_per_second for kind in KINDS if functions.rules.get(kind.field)]
    return max([FRAMES_PER_SECOND, *running])


class CameraRuleEngine:
    """Runs the AI functions configured for one camera; frames must be added in order of time."""

    def __init__(
        self, functions: CameraFunctions, frame: FrameSize, *, frames_per_second: float
    ) -> None:
        running = [kind for kind in KINDS if functions.rules.get(kind.field)]
        self.functions, self.frame = functions, frame
        self._running: list[Function] = [
            kind.start(functions.rules[kind.field], frame) for kind in running
        ]
        self._paces = [*_still_paces(functions), *(kind.pace for kind in running)]
        # Counted from the first frame on: a video and its stream are sampled alike.
        self._first_at: float | None = None
        self._requested_at: dict[int, float] = {}
        self._propagator = OpticalFlowPropagator() if running else None
        self._moving = (
            MovingObjects(frames_per_second=frames_per_second)
            if functions.rules.get(MOTION)
            else None
        )
        forget = max(TrackingRule().forget_seconds, FORGET_FRAMES / frames_per_second)
        rule, numbers = TrackingRule(forget_seconds=forget), count(1)
        self._people = Tracker(rule, numbers=numbers)
        self._vehicles = Tracker(rule, numbers=numbers)
        self._things = Tracker(rule, numbers=numbers)
        self._last: Moment | None = None

    def request(self, seconds: float) -> DetectionRequest:
        """Return the request to the models for the frame at this time. It is empty if no inference
        is due. `seconds` counts from the start of the video or stream."""
        if self._first_at is None:
            self._first_at = seconds
        passed, request = seconds - self._first_at, EMPTY_REQUEST
        for place, pace in enumerate(self._paces):
            if _slot(passed, pace) > _slot(self._requested_at.get(place, -math.inf), pace):
                request |= pace.request
        if request.scales or request.objects:
            request |= DetectionRequest(outside_models=self.functions.outside_models)
        return request

    def add(
        self,
        picture: Picture,
        detections: Detections,
        request: DetectionRequest,
        *,
        seconds: float,
        local: datetime,
    ) -> FrameFacts:
        """Process a frame and return what the rules found, with the tracked objects. `detections`
        is what the models returned for `request`. `seconds` counts from the start of the video;
        `local` is the frame's time in Almaty."""
        passed = seconds - (self._first_at or 0.0)
        for place, pace in enumerate(self._paces):
            if request | pace.request == request:
                self._requested_at[place] = passed
        if self._propagator is None:
            return FrameFacts((), tuple((one, 0) for one in detections.objects))
        fresh = None
        if VIDEO_SCALE in request.scales:
            fresh = [*detections.by_scale[VIDEO_SCALE], *detections.outside]
        boxes = self._propagator.add(picture, fresh)
        moving = self._moving.add(picture) if self._moving else []
        tracks = self._tracks(boxes, moving, seconds)
        moment = Moment(picture, detections, seconds, local, tracks, request)
        self._last = moment
        numbers = {track.box: track.number for track in tracks}
        shown = certain(joined_with(boxes, moving))
        return FrameFacts(
            self._facts(moment), tuple((one, numbers.get(one.box, 0)) for one in shown)
        )

    def tick(self, *, seconds: float, local: datetime) -> tuple[Fact, ...]:
        """Run the rules again on the last frame, for a later time at which the picture has not
        changed. Return what the rules found; () if no frame was added yet."""
        last = self._last
        if last is None:
            return ()
        return self._facts(replace(last, seconds=seconds, local=local))

    def _facts(self, moment: Moment) -> tuple[Fact, ...]:
        return tuple(fact for function in self._running for fact in function.add(moment))

    def _tracks(
        self, boxes: list[DetectedObject], moving: list[DetectedObject], seconds: float
    ) -> tuple[Track, ...]:
        people = [one for one in boxes if one.label == "person"]
        things = [one for one in boxes if one.label not in VEHICLES and one.label != "person"]
        return (
            *self._people.add(people, at=seconds),
            *self._vehicles.add(joined(boxes, moving), at=seconds),
            *self._things.add(things, at=seconds),
        )


def joined_with(
    boxes: list[DetectedObject], moving: list[DetectedObject]
) -> Iterable[DetectedObject]:
    others = [one for one in boxes if one.label not in VEHICLES]
    return [*joined(boxes, moving), *others]


def _still_paces(functions: CameraFunctions) -> list[Pace]:
    """The pace of plates and faces; without functions over time, every frame is processed."""
    request = DetectionRequest(plates=functions.plates, objects=True, faces=functions.faces)
    often = PLATE_LOOKS_PER_SECOND if functions.over_time else EVERY_FRAME
    if functions.over_time and not (functions.plates or functions.faces):
        return []
    return [Pace(request, often)]


def _slot(seconds: float, pace: Pace) -> float:
    """The number of the sampling interval; a rounding margin assigns 0.1999 s to 0.2 s."""
    if math.isinf(seconds):
        return seconds
    return math.floor(seconds * pace.looks_per_second + ROUNDING)
