"""The AI function for objects left behind. It needs five frames a second, the rate at which the
accuracy of its rule was measured."""

from typing import Final

from tartip.inference.v1 import events_pb2, inference_pb2
from tartip.inference.v1 import functions_pb2 as pb
from vision.background.left_objects import (
    LeftObjectFact,
    LeftObjectRule,
    LeftObjects,
    Stage,
)
from vision.detector import VIDEO_SCALE, DetectionRequest
from vision.zones.shapes import WHOLE_PICTURE, FrameSize

from inference_gateway.camera_rules.function import (
    EventContext,
    Fact,
    Kind,
    Moment,
    Pace,
)
from inference_gateway.camera_rules.reader import Reader

SUBJECT: Final = "inference.v1.object_abandoned"
PER_SECOND: Final = 5.0
SURE_OF_PERSON: Final = 0.35
TOLD: Final = {
    Stage.LEFT: events_pb2.OBJECT_STAGE_LEFT,
    Stage.ESCALATED: events_pb2.OBJECT_STAGE_ESCALATED,
    Stage.RECLAIMED: events_pb2.OBJECT_STAGE_RECLAIMED,
}
DEFAULT: Final = LeftObjectRule()


def read(reader: Reader, message: pb.LeftObjectFunction) -> LeftObjectRule:
    zone = reader.polygon(message.zone, "zone") if message.HasField("zone") else WHOLE_PICTURE
    alone = reader.number(message.alone_seconds, "alone_seconds", otherwise=DEFAULT.alone_seconds)
    escalate = reader.number(
        message.escalate_seconds, "escalate_seconds", otherwise=DEFAULT.escalate_seconds
    )
    if escalate <= alone:
        reader.unusable("escalate_seconds", "more than alone_seconds")
    return LeftObjectRule(zone=zone, alone_seconds=alone, escalate_seconds=escalate)


class LeftBehind:
    def __init__(self, rules: tuple[LeftObjectRule, ...], frame: FrameSize) -> None:
        self._watches = [LeftObjects(rule) for rule in rules]
        self._rules = rules
        # Of objects that were told to be left: their coming and going is nobody's concern.
        self._left: set[tuple[int, int]] = set()

    def add(self, moment: Moment) -> list[Fact]:
        if VIDEO_SCALE not in moment.request.scales:
            return []
        people = [
            one.box
            for one in moment.detections.by_scale[VIDEO_SCALE]
            if one.label == "person" and one.score > SURE_OF_PERSON
        ]
        facts = []
        for place, watch in enumerate(self._watches):
            for fact in watch.add(moment.picture, people, at=moment.seconds):
                if self._is_told(place, fact):
                    facts.append(worded(fact, self._rules[place].zone.name))
        # Fetched, or lost in a picture that changed as a whole: nothing more is told of it.
        followed = [watch.followed for watch in self._watches]
        self._left = {(place, number) for place, number in self._left if number in followed[place]}
        return facts

    def _is_told(self, place: int, fact: LeftObjectFact) -> bool:
        if fact.stage is Stage.LEFT:
            self._left.add((place, fact.number))
        return fact.stage in TOLD and (place, fact.number) in self._left


def worded(fact: LeftObjectFact, zone: str) -> Fact:
    def message(context: EventContext) -> events_pb2.ObjectAbandoned:
        box = fact.box
        return events_pb2.ObjectAbandoned(
            object_id=str(context.thing_id),
            stage=TOLD[fact.stage],
            track=fact.number,
            box=inference_pb2.Box(x=box.x, y=box.y, width=box.width, height=box.height),
            since=context.moment(fact.still_since),
            alone_seconds=fact.alone_seconds,
            confidence=fact.confidence,
            evidence_sha256=context.evidence_sha256,
            **context.common(),
        )

    return Fact(
        SUBJECT,
        fact.stage.value,
        f"object:{fact.number}",
        fact.at_seconds,
        message,
        rule=zone,
        track=fact.number,
        box=fact.box,
        confidence=fact.confidence,
        version=1 + list(TOLD).index(fact.stage),
    )


KIND: Final = Kind(
    "left_objects",
    read,
    LeftBehind,
    Pace(
        DetectionRequest(scales=frozenset({VIDEO_SCALE})), PER_SECOND, frames_per_second=PER_SECOND
    ),
)
