"""Crowds: a count a zone every two seconds, from several looks at the picture."""

from typing import Final

from tartip.inference.v1 import events_pb2
from tartip.inference.v1 import functions_pb2 as pb
from vision.detector import DetectionRequest
from vision.people import detection
from vision.people.crowd import (
    CrowdChange,
    CrowdFact,
    CrowdMonitor,
    CrowdRule,
)
from vision.people.detection import COUNTING
from vision.zones.shapes import FrameSize

from inference_gateway.functions.function import Fact, Kind, Moment, Pace, Telling
from inference_gateway.functions.reading import Reader

SUBJECT: Final = "inference.v1.crowd_formed"
PEOPLE_MAX: Final = 100_000
AREA_MAX: Final = 1e7
DWELL_SECONDS: Final = 10.0
CHANGES: Final = {
    CrowdChange.FORMED: events_pb2.CROWD_CHANGE_FORMED,
    CrowdChange.DISPERSED: events_pb2.CROWD_CHANGE_DISPERSED,
    CrowdChange.RISING: events_pb2.CROWD_CHANGE_RISING,
}


def read(reader: Reader, told: pb.CrowdFunction) -> CrowdRule:
    zone = reader.polygon(told.zone, "zone")
    if not 0 < told.people <= PEOPLE_MAX:
        reader.unusable("people", f"1 to {PEOPLE_MAX}")
    dwell = reader.number(told.dwell_seconds, "dwell_seconds", otherwise=DWELL_SECONDS)
    area = reader.number(told.square_metres, "square_metres", most=AREA_MAX)
    rising = reader.number(told.rising_per_minute, "rising_per_minute", most=PEOPLE_MAX)
    schedule = reader.schedule(told.schedule)
    return CrowdRule(
        zone, max(1, told.people), dwell, area or None, rising or None, schedule=schedule
    )


class Crowds:
    def __init__(self, rules: tuple[CrowdRule, ...], frame: FrameSize) -> None:
        self._rules = rules
        self._frame = frame
        self._watches = [CrowdMonitor(rule, frame=frame) for rule in rules]

    def add(self, moment: Moment) -> list[Fact]:
        if not moment.request.scales.issuperset(COUNTING.scales):
            return []
        seen = {
            look: [one for one in moment.detections.by_scale[look] if one.label in detection.PEOPLE]
            for look in COUNTING.scales
        }
        boxes = [one.box for one in detection.people(seen, moment.picture, COUNTING)]
        facts = []
        for place, rule in enumerate(self._rules):
            if rule.schedule.holds(moment.local):
                facts += self._watches[place].add(boxes, at=moment.seconds)
            else:
                self._watches[place] = CrowdMonitor(rule, frame=self._frame)
        return [worded(fact) for fact in facts]


def worded(fact: CrowdFact) -> Fact:
    count = fact.count
    # A rise is told as of its window's first moment, which two rises may share.
    if fact.change is CrowdChange.RISING:
        thing = f"rise:{fact.rule}:{fact.at_seconds:.3f}"
    else:
        thing = f"crowd:{fact.rule}:{fact.since_seconds:.3f}"

    def message(told: Telling) -> events_pb2.CrowdFormed:
        return events_pb2.CrowdFormed(
            crowd_id=str(told.thing_id),
            people=round(count.people),
            change=CHANGES[fact.change],
            rule=fact.rule,
            people_per_square_metre=count.per_square_metre,
            people_per_minute=count.per_minute,
            since=told.moment(fact.since_seconds),
            evidence_sha256=told.evidence_sha256,
            **told.common(),
        )

    return Fact(
        SUBJECT,
        f"crowd {fact.change}",
        thing,
        fact.at_seconds,
        message,
        rule=fact.rule,
        version=2 if fact.change is CrowdChange.DISPERSED else 1,
    )


KIND: Final = Kind(
    "crowds",
    read,
    Crowds,
    Pace(DetectionRequest(scales=frozenset(COUNTING.scales)), looks_per_second=0.5),
)
