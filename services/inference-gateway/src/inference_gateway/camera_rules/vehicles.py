"""The AI function that counts vehicles crossing a line, by class and direction. Where the road is
calibrated in metres, it also measures speeds."""

from dataclasses import dataclass
from typing import Final

from tartip.inference.v1 import events_pb2
from tartip.inference.v1 import functions_pb2 as pb
from vision.detector import VIDEO_SCALE, DetectionRequest
from vision.tracking.tracker import Track
from vision.vehicles import (
    COUNTED,
    Road,
    Speed,
    VehicleCounter,
)
from vision.zones.monitor import ZoneEvent, ZoneFact
from vision.zones.shapes import FrameSize, Line, Point

from inference_gateway.camera_rules.function import (
    EventContext,
    Fact,
    Kind,
    Moment,
    Pace,
)
from inference_gateway.camera_rules.reader import Reader

SUBJECT: Final = "inference.v1.vehicle_passed"
FAST_FRAMES_PER_SECOND: Final = 30.0
"""Vehicles are followed from frame to frame: as many as there are, up to this."""
ANY_FRAME: Final = FrameSize(1000, 1000)
FARTHEST_METRES: Final = 1e6


@dataclass(frozen=True, slots=True)
class VehicleRule:
    line: Line
    seen: tuple[Point, ...] = ()
    metres: tuple[tuple[float, float], ...] = ()


def read(reader: Reader, message: pb.VehicleFunction) -> VehicleRule:
    line = reader.line(message.line, "line")
    seen = tuple(Point(point.seen.x, point.seen.y) for point in message.calibration)
    metres = tuple((point.east_metres, point.north_metres) for point in message.calibration)
    rule = VehicleRule(line, seen, metres)
    if seen:
        far = [side for point in metres for side in point if not abs(side) <= FARTHEST_METRES]
        if far or not all(0 <= side <= 1 for point in seen for side in (point.x, point.y)):
            reader.place("calibration", lambda: Line("calibration", Point(-1, -1), Point(0, 0)))
        else:
            reader.place("calibration", lambda: Road(seen, metres, ANY_FRAME))
    return rule


class Vehicles:
    def __init__(self, rules: tuple[VehicleRule, ...], frame: FrameSize) -> None:
        self._counters = [VehicleCounter(rule.line, frame) for rule in rules]
        self._roads = [Road(rule.seen, rule.metres, frame) if rule.seen else None for rule in rules]

    def add(self, moment: Moment) -> list[Fact]:
        tracks = [track for track in moment.tracks if track.label in COUNTED]
        by_number = {track.number: track for track in tracks}
        facts = []
        for counter, road in zip(self._counters, self._roads, strict=True):
            for fact in counter.add(tracks, at=moment.seconds):
                facts.append(worded(fact, _speed(road, by_number[fact.track])))
        return facts


def _speed(road: Road | None, track: Track) -> Speed | None:
    return road.speed(track) if road else None


def worded(fact: ZoneFact, speed: Speed | None) -> Fact:
    ahead = fact.event is ZoneEvent.CROSSED_FORWARD
    direction = events_pb2.DIRECTION_FORWARD if ahead else events_pb2.DIRECTION_BACKWARD

    def message(context: EventContext) -> events_pb2.VehiclePassed:
        return events_pb2.VehiclePassed(
            passage_id=str(context.thing_id),
            label=fact.label,
            direction=direction,
            rule=fact.rule,
            track=fact.track,
            confidence=fact.confidence,
            speed_kmh=speed.kmh if speed else None,
            speed_uncertainty_kmh=speed.uncertainty_kmh if speed else None,
            **context.common(),
        )

    return Fact(
        SUBJECT,
        f"{fact.label} {'forward' if ahead else 'backward'}",
        f"passage:{fact.rule}:{fact.track}:{fact.event}",
        fact.at_seconds,
        message,
        rule=fact.rule,
        track=fact.track,
        box=fact.box,
        confidence=fact.confidence,
        with_evidence=False,
    )


KIND: Final = Kind(
    "vehicles",
    read,
    Vehicles,
    Pace(
        DetectionRequest(scales=frozenset({VIDEO_SCALE})),
        5.0,
        frames_per_second=FAST_FRAMES_PER_SECOND,
    ),
)
