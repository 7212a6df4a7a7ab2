"""The moment of measurement: the device's clock, and the camera as it was then."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from chassis.clock import system_clock, to_timestamp
from chassis.grpc_status import from_error
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import violations_pb2 as pb

Outcome = Callable[[str], Awaitable[Any]]
Reads = Callable[..., Any]
Wait = Callable[..., Awaitable[list[pb.Violation]]]


@pytest.mark.parametrize(
    ("late", "hold"),
    [
        (timedelta(seconds=1), ""),
        (timedelta(hours=23.5), ""),  # an edge box that sends after an outage
        (timedelta(hours=25), "DEVICE_CLOCK_BEHIND"),
        (timedelta(days=9), "DEVICE_CLOCK_BEHIND"),
        (timedelta(seconds=-4), ""),
        (timedelta(minutes=-2), "DEVICE_CLOCK_AHEAD"),
    ],
)
async def test_a_device_clock_is_bounded_both_ways_by_when_the_frame_arrived(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    late: timedelta,
    hold: str,
) -> None:
    """The frame's own moment agrees with the device's, and proves nothing."""
    # The read itself came of it an hour later: that proves nothing either.
    arrived_at = system_clock() - timedelta(hours=1)
    await publisher.read(plate_read(at=arrived_at - late, arrived_at=arrived_at))
    [violation] = await violations_of(camera.camera_id)
    assert violation.hold_reason == hold


async def test_without_a_moment_of_arrival_the_read_itself_tells_it(
    publisher: Any, plate_read: Reads, camera: cameras_pb2.Camera, violations_of: Wait
) -> None:
    event = plate_read(at=system_clock() - timedelta(days=9))
    event.ClearField("received_at")
    await publisher.read(event)
    [violation] = await violations_of(camera.camera_id)
    assert violation.hold_reason == "DEVICE_CLOCK_BEHIND"


async def test_tolerance_place_kind_and_papers_are_those_of_the_measurement(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    peers: Any,
    inspector: Any,
) -> None:
    measured_at = system_clock() - timedelta(hours=3)
    changed = cameras_pb2.Camera()
    changed.CopyFrom(camera)
    changed.registered_at.CopyFrom(stamp(measured_at + timedelta(hours=1)))
    changed.description.kind = cameras_pb2.CAMERA_KIND_OVERVIEW
    changed.description.speed_tolerance_kmh = 20.0
    changed.description.certificate_number = ""
    del changed.description.verifications[:]
    changed.description.place.CopyFrom(
        common_pb2.Place(latitude=51.17, longitude=71.45, region="KZ-71", address="moved")
    )
    peers.later[camera.camera_id] = changed
    event = plate_read(at=measured_at, arrived_at=system_clock())
    await publisher.read(event)
    [listed] = await violations_of(camera.camera_id)
    get = pb.GetViolationRequest(violation_id=listed.violation_id)
    violation = (await inspector.call("GetViolation", get)).violation
    assert peers.as_of[-1] == event.readings.device_time.ToDatetime(tzinfo=UTC)
    assert violation.place == camera.description.place
    assert (violation.over_kmh, violation.hold_reason) == (30.0, "")
    assert violation.device.certificate_number == "KZ.C.1"
    assert violation.device.kind == cameras_pb2.CAMERA_KIND_SPEED_POINT


async def test_a_device_with_a_wrong_clock_is_looked_up_as_of_arrival(
    publisher: Any, plate_read: Reads, camera: cameras_pb2.Camera, violations_of: Wait, peers: Any
) -> None:
    now = system_clock()
    camera.registered_at.CopyFrom(stamp(now - timedelta(hours=1)))
    await publisher.read(plate_read(at=now - timedelta(days=9), arrived_at=now))
    [violation] = await violations_of(camera.camera_id)
    assert violation.hold_reason == "DEVICE_CLOCK_BEHIND"
    assert peers.as_of[-1] == now


async def test_a_read_of_before_the_camera_was_registered_ends_by_name(
    publisher: Any, plate_read: Reads, camera: cameras_pb2.Camera, outcome_of: Outcome
) -> None:
    now = system_clock()
    camera.registered_at.CopyFrom(stamp(now - timedelta(hours=1)))
    event = plate_read(at=now - timedelta(hours=2), arrived_at=now)
    await publisher.read(event)
    assert (await outcome_of(event.read_id))["outcome"] == "camera_not_registered_then"


RED = {"signal_phase": inference_pb2.SIGNAL_PHASE_RED, "past_stop_line": True}


@pytest.mark.parametrize(
    ("kind", "readings", "hold"),
    [
        ("SPEED_POINT", {"speed_kmh": 71.0, "speed_limit_kmh": 0.0}, "SPEED_LIMIT_IMPLAUSIBLE"),
        ("SPEED_POINT", {"speed_limit_kmh": -40.0}, "SPEED_LIMIT_IMPLAUSIBLE"),
        ("SPEED_POINT", {"speed_kmh": 999.0}, "SPEED_IMPLAUSIBLE"),
        ("RED_LIGHT", RED | {"signal_age_seconds": -3.0}, "SIGNAL_IMPLAUSIBLE"),
        ("RED_LIGHT", RED | {"signal_age_seconds": 86_400.0}, "SIGNAL_IMPLAUSIBLE"),
    ],
)
async def test_impossible_readings_are_held_by_name_and_cannot_be_confirmed(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    inspector: Any,
    kind: str,
    readings: dict[str, Any],
    hold: str,
) -> None:
    camera.description.kind = cameras_pb2.CameraKind.Value(f"CAMERA_KIND_{kind}")
    await publisher.read(plate_read(**readings))
    [violation] = await violations_of(camera.camera_id)
    assert (violation.hold_reason, list(violation.actions)) == (hold, ["reject"])
    prepare = pb.PrepareDecisionRequest(
        violation_id=violation.violation_id, verdict=pb.VERDICT_CONFIRM
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await inspector.call("PrepareDecision", prepare)
    refusal = from_error(caught.value)
    assert (refusal.reason, refusal.facts) == ("NOT_AUTOMATIC", {"hold_reason": hold})


async def test_a_camera_without_a_tolerance_has_that_of_its_kind(
    publisher: Any, plate_read: Reads, camera: cameras_pb2.Camera, violations_of: Wait
) -> None:
    camera.description.speed_tolerance_kmh = 0.0
    await publisher.read(plate_read(speed_kmh=81.0))
    [violation] = await violations_of(camera.camera_id)
    assert (violation.over_kmh, violation.device.tolerance_kmh) == (19.0, 2.0)


def stamp(moment: datetime) -> Any:
    return to_timestamp(moment)
