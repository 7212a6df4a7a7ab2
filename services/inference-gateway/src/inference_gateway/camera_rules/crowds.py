"""The AI function for crowds: counts the people in each configured zone every two seconds, at
several scales of the picture."""

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

from inference_gateway.camera_rules.function import (
    EventContext,
    Fact,
    Kind,
    Moment,
    Pace,
)
from inference_gateway.camera_rules.reader import Reader

SUBJECT: Final = "inference.v1.crowd_formed"
PEOPLE_MAX: Final = 100_000
AREA_MAX: Final = 1e7
DWELL_SECONDS: Final = 10.0
CHANGES: Final = {
    CrowdChange.FORMED: events_pb2.CROWD_CHANGE_FORMED,
    CrowdChange.DISPERSED: events_pb2.CROWD_CHANGE_DISPERSED,
    CrowdChange.RISING: events_pb2.CROWD_CHANGE_RISING,
}


def read(reader: Reader, message: pb.CrowdFunction) -> CrowdRule:
    zone = reader.polygon(message.zone, "zone")
    if not 0 < message.people <= PEOPLE_MAX:
        reader.unusable("people", f"1 to {PEOPLE_MAX}")
    dwell = reader.number(message.dwell_seconds, "dwell_seconds", otherwise=DWELL_SECONDS)
    area = reader.number(message.square_metres, "square_metres", most=AREA_MAX)
    rising = reader.number(message.rising_per_minute, "rising_per_minute", most=PEOPLE_MAX)
    schedule = reader.schedule(message.schedule)
    return CrowdRule(
        zone, max(1, message.people), dwell, area or None, rising or None, schedule=schedule
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
            scale: [
                one for one in moment.detections.by_scale[scale] if one.label in detection.PEOPLE
            ]
            for scale in COUNTING.scales
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

    def message(context: EventContext) -> events_pb2.CrowdFormed:
        return events_pb2.CrowdFormed(
            crowd_id=str(context.thing_id),
            people=round(count.people),
            change=CHANGES[fact.change],
            rule=fact.rule,
            people_per_square_metre=count.per_square_metre,
            people_per_minute=count.per_minute,
            since=context.moment(fact.since_seconds),
            evidence_sha256=context.evidence_sha256,
            **context.common(),
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
