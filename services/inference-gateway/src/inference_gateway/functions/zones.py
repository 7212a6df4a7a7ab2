"""Zones and lines: who enters, stays, crosses, goes the wrong way."""

from typing import Final

from tartip.inference.v1 import events_pb2, inference_pb2
from tartip.inference.v1 import functions_pb2 as pb
from vision.detector import VIDEO_SCALE, DetectionRequest
from vision.zones.monitor import (
    LineRule,
    ZoneEvent,
    ZoneFact,
    ZoneMonitor,
    ZoneRule,
)
from vision.zones.shapes import FrameSize

from inference_gateway.functions.function import Fact, Kind, Moment, Pace, Telling
from inference_gateway.functions.reading import Reader

SUBJECT: Final = "inference.v1.zone_crossed"
HAPPENINGS: Final = {
    ZoneEvent.ENTERED: events_pb2.ZONE_HAPPENING_ENTERED,
    ZoneEvent.LOITERING: events_pb2.ZONE_HAPPENING_LOITERING,
    ZoneEvent.CROSSED_FORWARD: events_pb2.ZONE_HAPPENING_CROSSED_FORWARD,
    ZoneEvent.CROSSED_BACKWARD: events_pb2.ZONE_HAPPENING_CROSSED_BACKWARD,
    ZoneEvent.WRONG_WAY: events_pb2.ZONE_HAPPENING_WRONG_WAY,
}
PACE: Final = Pace(DetectionRequest(scales=frozenset({VIDEO_SCALE})), 5.0, frames_per_second=5.0)


def read_zone(reader: Reader, told: pb.ZoneFunction) -> ZoneRule:
    zone = reader.polygon(told.zone, "zone")
    labels = reader.labels(told.labels)
    dwell = reader.number(told.dwell_seconds, "dwell_seconds")
    loiter = reader.number(told.loiter_seconds, "loiter_seconds")
    schedule = reader.schedule(told.schedule)
    return ZoneRule(zone, labels or frozenset({""}), dwell, loiter or None, schedule)


def read_line(reader: Reader, told: pb.LineFunction) -> LineRule:
    line = reader.line(told.line, "line")
    labels = reader.labels(told.labels)
    schedule = reader.schedule(told.schedule)
    return LineRule(line, labels or frozenset({""}), told.one_way, schedule)


class Zones:
    def __init__(self, rules: tuple[ZoneRule, ...], frame: FrameSize) -> None:
        self._watch = ZoneMonitor(zones=rules, frame=frame)

    def add(self, moment: Moment) -> list[Fact]:
        told = self._watch.add(moment.tracks, at=moment.seconds, local=moment.local)
        return [worded(fact) for fact in told]


class Lines:
    def __init__(self, rules: tuple[LineRule, ...], frame: FrameSize) -> None:
        self._watch = ZoneMonitor(lines=rules, frame=frame)

    def add(self, moment: Moment) -> list[Fact]:
        told = self._watch.add(moment.tracks, at=moment.seconds, local=moment.local)
        return [worded(fact) for fact in told]


def worded(fact: ZoneFact) -> Fact:
    def message(told: Telling) -> events_pb2.ZoneCrossed:
        box = fact.box
        return events_pb2.ZoneCrossed(
            crossing_id=str(told.thing_id),
            happening=HAPPENINGS[fact.event],
            rule=fact.rule,
            label=fact.label,
            track=fact.track,
            box=inference_pb2.Box(x=box.x, y=box.y, width=box.width, height=box.height),
            since=told.moment(fact.since_seconds),
            confidence=fact.confidence,
            evidence_sha256=told.evidence_sha256,
            **told.common(),
        )

    return Fact(
        SUBJECT,
        fact.event.value.replace("_", " "),
        f"{fact.event}:{fact.rule}:{fact.track}:{fact.at_seconds:.3f}",
        fact.at_seconds,
        message,
        rule=fact.rule,
        track=fact.track,
        box=fact.box,
        confidence=fact.confidence,
    )


ZONES: Final = Kind("zones", read_zone, Zones, PACE)
LINES: Final = Kind("lines", read_line, Lines, PACE)
