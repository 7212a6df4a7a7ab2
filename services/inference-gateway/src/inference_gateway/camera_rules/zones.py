"""The AI functions for zones and lines: they detect entering, staying, crossing, and moving in the
wrong direction."""

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

from inference_gateway.camera_rules.function import (
    EventContext,
    Fact,
    Kind,
    Moment,
    Pace,
)
from inference_gateway.camera_rules.reader import Reader

SUBJECT: Final = "inference.v1.zone_crossed"
HAPPENINGS: Final = {
    ZoneEvent.ENTERED: events_pb2.ZONE_HAPPENING_ENTERED,
    ZoneEvent.LOITERING: events_pb2.ZONE_HAPPENING_LOITERING,
    ZoneEvent.CROSSED_FORWARD: events_pb2.ZONE_HAPPENING_CROSSED_FORWARD,
    ZoneEvent.CROSSED_BACKWARD: events_pb2.ZONE_HAPPENING_CROSSED_BACKWARD,
    ZoneEvent.WRONG_WAY: events_pb2.ZONE_HAPPENING_WRONG_WAY,
}
PACE: Final = Pace(DetectionRequest(scales=frozenset({VIDEO_SCALE})), 5.0, frames_per_second=5.0)


def read_zone(reader: Reader, message: pb.ZoneFunction) -> ZoneRule:
    zone = reader.polygon(message.zone, "zone")
    labels = reader.labels(message.labels)
    dwell = reader.number(message.dwell_seconds, "dwell_seconds")
    loiter = reader.number(message.loiter_seconds, "loiter_seconds")
    schedule = reader.schedule(message.schedule)
    return ZoneRule(zone, labels or frozenset({""}), dwell, loiter or None, schedule)


def read_line(reader: Reader, message: pb.LineFunction) -> LineRule:
    line = reader.line(message.line, "line")
    labels = reader.labels(message.labels)
    schedule = reader.schedule(message.schedule)
    return LineRule(line, labels or frozenset({""}), message.one_way, schedule)


class Zones:
    def __init__(self, rules: tuple[ZoneRule, ...], frame: FrameSize) -> None:
        self._watch = ZoneMonitor(zones=rules, frame=frame)

    def add(self, moment: Moment) -> list[Fact]:
        facts = self._watch.add(moment.tracks, at=moment.seconds, local=moment.local)
        return [worded(fact) for fact in facts]


class Lines:
    def __init__(self, rules: tuple[LineRule, ...], frame: FrameSize) -> None:
        self._watch = ZoneMonitor(lines=rules, frame=frame)

    def add(self, moment: Moment) -> list[Fact]:
        facts = self._watch.add(moment.tracks, at=moment.seconds, local=moment.local)
        return [worded(fact) for fact in facts]


def worded(fact: ZoneFact) -> Fact:
    def message(context: EventContext) -> events_pb2.ZoneCrossed:
        box = fact.box
        return events_pb2.ZoneCrossed(
            crossing_id=str(context.thing_id),
            happening=HAPPENINGS[fact.event],
            rule=fact.rule,
            label=fact.label,
            track=fact.track,
            box=inference_pb2.Box(x=box.x, y=box.y, width=box.width, height=box.height),
            since=context.moment(fact.since_seconds),
            confidence=fact.confidence,
            evidence_sha256=context.evidence_sha256,
            **context.common(),
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
