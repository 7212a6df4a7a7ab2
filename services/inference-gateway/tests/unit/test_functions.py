"""What is wrong in a configuration; what is looked for when; from sights to facts and events."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import cv2
import numpy as np
import pytest
from chassis.refusals import BadRequest, checks
from google.protobuf import json_format
from inference_gateway.admission import Urgency
from inference_gateway.camera_rules.engine import CameraRuleEngine, frames_per_second
from inference_gateway.camera_rules.events import outbound_event
from inference_gateway.camera_rules.function import Fact
from inference_gateway.camera_rules.messages import canonical, read_functions, stored_functions
from inference_gateway.camera_rules.model import DEFAULT, CameraFunctions
from inference_gateway.camera_rules.registry import KINDS
from inference_gateway.cameras.model import Camera
from inference_gateway.frames.model import FrameResult
from tartip.inference.v1 import events_pb2, functions_pb2
from vision.arrays import Picture
from vision.boxes import Box
from vision.detector import VIDEO_SCALE, DetectionRequest, Detections
from vision.objects import DetectedObject
from vision.people.detection import COUNTING
from vision.tracking.optical_flow import OpticalFlowPropagator
from vision.zones.shapes import FrameSize

# 12:00 in UTC is 17:00 in Almaty, on a Monday.
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIZE = FrameSize(400, 200)
LEFT = {
    "name": "left",
    "corners": [{"x": 0, "y": 0}, {"x": 0.5, "y": 0}, {"x": 0.5, "y": 1}, {"x": 0, "y": 1}],
}
# Crossed forward by what goes from the picture's left to its right.
MIDDLE = {"name": "middle", "start": {"x": 0.5, "y": 1}, "end": {"x": 0.5, "y": 0}}
SQUARE = [
    {"seen": {"x": x, "y": y}, "east_metres": 40 * x, "north_metres": 20 * y}
    for x, y in ((0.1, 0.2), (0.9, 0.2), (0.9, 0.9), (0.1, 0.9))
]


def functions(**told: Any) -> CameraFunctions:
    message = json_format.ParseDict(told, functions_pb2.CameraFunctions())
    with checks() as check:
        return read_functions(check, message, {"fires": ("fire",)})


def wrong(**told: Any) -> set[tuple[str, str]]:
    with pytest.raises(BadRequest) as refusal:
        functions(**told)
    return {(error.field.removeprefix("functions."), error.code) for error in refusal.value.fields}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"crowds": [{"zone": LEFT}]}, {("crowds[0].people", "RULE_UNUSABLE")}),
        (
            {"crowds": [{"zone": LEFT, "people": 3, "dwell_seconds": -1}]},
            {("crowds[0].dwell_seconds", "RULE_UNUSABLE")},
        ),
        (
            {"zones": [{"zone": LEFT, "labels": ["car"], "loiter_seconds": "NaN"}]},
            {("zones[0].loiter_seconds", "RULE_UNUSABLE")},
        ),
        ({"zones": [{"zone": LEFT}]}, {("zones[0].labels", "RULE_UNUSABLE")}),
        ({"zones": [{"zone": LEFT, "labels": ["fire"]}]}, {("zones[0].labels", "RULE_UNUSABLE")}),
        (
            {"zones": [{"zone": {**LEFT, "name": ""}, "labels": ["car"]}]},
            {("zones[0].zone.name", "PLACE_UNUSABLE")},
        ),
        (
            {"zones": [{"zone": LEFT, "labels": ["car"]}, {"zone": LEFT, "labels": ["person"]}]},
            {("zones[1]", "RULE_UNUSABLE")},
        ),
        (
            {"lines": [{"line": MIDDLE, "labels": ["car"], "schedule": {"days": [8]}}]},
            {("lines[0].schedule", "RULE_UNUSABLE")},
        ),
        (
            {"lines": [{"line": MIDDLE, "labels": ["car"], "schedule": {"start": "25:00"}}]},
            {("lines[0].schedule.start", "RULE_UNUSABLE"), ("lines[0].schedule", "RULE_UNUSABLE")},
        ),
        (
            {"vehicles": [{"line": MIDDLE, "calibration": SQUARE[:3]}]},
            {("vehicles[0].calibration", "PLACE_UNUSABLE")},
        ),
        (
            {"left_objects": {"alone_seconds": 50, "escalate_seconds": 5}},
            {("left_objects.escalate_seconds", "RULE_UNUSABLE")},
        ),
        ({"outside_models": ["floods"]}, {("outside_models[0]", "MODEL_UNKNOWN")}),
    ],
)
def test_what_cannot_be_watched_is_named(
    told: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    assert wrong(**told) == expected


def test_labels_of_outside_models_may_be_named_and_stay_when_the_model_has_gone() -> None:
    told = {"outside_models": ["fires"], "zones": [{"zone": LEFT, "labels": ["fire"]}]}
    read = functions(**told)
    message = json_format.ParseDict(told, functions_pb2.CameraFunctions())
    assert stored_functions(canonical(message)) == read
    assert stored_functions(b"") == CameraFunctions(
        Urgency.NORMAL, plates=True, rules={kind.field: () for kind in KINDS}
    )


def test_every_function_of_the_contract_is_known() -> None:
    fields = set(functions_pb2.CameraFunctions.DESCRIPTOR.fields_by_name)
    alone = {"urgency", "plates", "faces", "outside_models"}
    assert {kind.field for kind in KINDS} == fields - alone


def test_a_camera_is_asked_for_no_more_than_its_functions_want() -> None:
    plates = CameraRuleEngine(DEFAULT, SIZE, frames_per_second=2)
    assert plates.request(0.0) == plates.request(0.5) == DetectionRequest(plates=True, objects=True)
    assert frames_per_second(DEFAULT) == 2
    counted = functions(
        plates={}, vehicles=[{"line": MIDDLE}], crowds=[{"zone": LEFT, "people": 9}]
    )
    assert frames_per_second(counted) == 30
    engine = CameraRuleEngine(counted, SIZE, frames_per_second=15)
    asked = [wanted for _, wanted, _ in shown(engine, [()] * 30, rate=15)]
    assert sum(VIDEO_SCALE in wanted.scales for wanted in asked) == 10
    assert sum(wanted.plates for wanted in asked) == 5
    assert sum(wanted.scales.issuperset(COUNTING.scales) for wanted in asked) == 1
    assert sum(wanted == DetectionRequest() for wanted in asked) == 20


@pytest.mark.parametrize("first", [0.0, 0.031, 1234.567, 87_654.3])
def test_the_same_frames_are_looked_at_whenever_the_first_of_them_comes(first: float) -> None:
    engine = CameraRuleEngine(functions(vehicles=[{"line": MIDDLE}]), SIZE, frames_per_second=30)
    asked = [wanted for _, wanted, _ in shown(engine, [()] * 30, rate=30, first=first)]
    looked = [number for number, wanted in enumerate(asked) if VIDEO_SCALE in wanted.scales]
    assert looked == [0, 6, 12, 18, 24]


def test_a_look_that_failed_is_asked_for_again() -> None:
    engine = CameraRuleEngine(functions(left_objects={}), SIZE, frames_per_second=5)
    assert (
        engine.request(0.0)
        == engine.request(0.1)
        == DetectionRequest(scales=frozenset({VIDEO_SCALE}))
    )


def test_a_vehicle_is_counted_once_between_looks_too_and_its_speed_is_told() -> None:
    engine = CameraRuleEngine(
        functions(vehicles=[{"line": MIDDLE, "calibration": SQUARE}]), SIZE, frames_per_second=15
    )
    cars = [(Box(40 + 8 * number, 80, 60, 40),) for number in range(38)]
    facts = [fact for *_, facts in shown(engine, cars, rate=15) for fact in facts]
    assert [fact.what for fact in facts] == ["car forward"]
    passed = event_of(facts[0])
    assert isinstance(passed, events_pb2.VehiclePassed)
    assert passed.direction == events_pb2.DIRECTION_FORWARD
    # 8 of 400 pixels are 0.8 m, 15 times a second: 12 m/s.
    assert abs(passed.speed_kmh - 43.2) < max(2.0, passed.speed_uncertainty_kmh)


def test_a_zone_is_watched_by_the_clock_of_almaty() -> None:
    zone = {"zone": LEFT, "labels": ["car"]}
    five = functions(zones=[{**zone, "schedule": {"days": [1], "start": "17:00", "end": "18:00"}}])
    noon = functions(zones=[{**zone, "schedule": {"days": [1], "start": "12:00", "end": "13:00"}}])
    cars = [(Box(20, 80, 60, 40),)] * 10
    for rules, expected in ((five, ["entered"]), (noon, [])):
        engine = CameraRuleEngine(rules, SIZE, frames_per_second=5)
        told = shown(engine, cars, rate=5)
        assert [fact.what for *_, facts in told for fact in facts] == expected


def test_time_goes_on_while_nothing_changes() -> None:
    rules = functions(zones=[{"zone": LEFT, "labels": ["car"], "loiter_seconds": 60}])
    engine = CameraRuleEngine(rules, SIZE, frames_per_second=2)
    shown(engine, [(Box(20, 80, 60, 40),)] * 4, rate=2)
    local = NOON + timedelta(hours=5)
    told = [fact for at in range(2, 70) for fact in engine.tick(seconds=float(at), local=local)]
    assert [fact.what for fact in told] == ["loitering"]


def test_the_same_thing_has_the_same_id_however_often_it_is_told() -> None:
    engine = CameraRuleEngine(
        functions(lines=[{"line": MIDDLE, "labels": ["car"]}]), SIZE, frames_per_second=15
    )
    cars = [(Box(40 + 8 * number, 80, 60, 40),) for number in range(38)]
    [fact] = [fact for *_, facts in shown(engine, cars, rate=15) for fact in facts]
    first, again = told(fact), told(fact)
    assert first.event.event_id == again.event.event_id
    assert first.emitted.what == "crossed forward" and first.emitted.rule == "middle"
    assert first.emitted.event_id == first.event.event_id


def test_a_box_goes_with_what_moves_under_it_and_is_dropped_where_that_is_lost() -> None:
    carrier = OpticalFlowPropagator()
    seen = DetectedObject("car", 0.8, Box(40, 80, 60, 40))
    assert carrier.add(drawn([seen.box]), [seen]) == [seen]
    [moved] = carrier.add(drawn([Box(47, 80, 60, 40)]), None)
    assert moved.box.x == pytest.approx(47, abs=1.5) and moved.box.y == pytest.approx(80, abs=1.5)
    noise = np.random.default_rng(1).integers(0, 255, (200, 400, 3), np.uint8)
    assert carrier.add(noise, None) == []


def shown(
    engine: CameraRuleEngine, frames: Sequence[tuple[Box, ...]], *, rate: float, first: float = 0.0
) -> list[tuple[float, DetectionRequest, tuple[Fact, ...]]]:
    """Shows cars in these places, with what models would see where they are asked."""
    told = []
    for number, boxes in enumerate(frames):
        seconds = first + number / rate
        wanted = engine.request(seconds)
        cars = tuple(DetectedObject("car", 0.8, box) for box in boxes)
        sight = Detections(by_scale=dict.fromkeys(wanted.scales, cars))
        local = NOON + timedelta(hours=5, seconds=seconds)
        seen = engine.add(drawn(list(boxes)), sight, wanted, seconds=seconds, local=local)
        told.append((seconds, wanted, seen.facts))
    return told


def drawn(boxes: list[Box]) -> Picture:
    """A textured road with textured cars."""
    texture = np.random.default_rng(7)
    picture = texture.integers(60, 90, (200, 400, 3), np.uint8)
    for box in boxes:
        car = texture.integers(0, 255, (int(box.height), int(box.width), 3), np.uint8)
        left, top = int(box.x), int(box.y)
        part = picture[top : top + car.shape[0], left : left + car.shape[1]]
        part[:] = cv2.GaussianBlur(car, (5, 5), 0)[: part.shape[0], : part.shape[1]]
    return picture


def told(fact: Fact) -> Any:
    camera = Camera(UUID(int=1), "KZ-75", 1, "SN-1", bytes(32), retired=False)
    frame = FrameResult(UUID(int=2), NOON, evidence_sha256="ab", models_fingerprint="sha256:cd")
    return outbound_event(
        fact, UUID(int=3), camera, frame, lambda seconds: NOON + timedelta(seconds=seconds)
    )


def event_of(fact: Fact) -> Any:
    return told(fact).event.message
