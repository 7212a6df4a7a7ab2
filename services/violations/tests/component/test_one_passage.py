"""One passage is one violation over all cameras, and a piece of evidence stands in one alone."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from chassis.clock import new_id, system_clock, to_timestamp
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import events_pb2 as report_events
from tartip.reports.v1 import reports_pb2
from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

Audited = Callable[[str], Awaitable[list[dict[str, Any]]]]
Cameras = Callable[..., cameras_pb2.Camera]
Outcome = Callable[[str], Awaitable[Any]]
Reads = Callable[..., Any]
Wait = Callable[..., Awaitable[list[pb.Violation]]]
METRE = 1 / 111_195  # degrees of latitude
# The violation of a read as if it had been recorded every other minute from then on.
MANY_LATER = """
INSERT INTO violations.violations
SELECT (jsonb_populate_record(one, jsonb_build_object(
    'violation_id', gen_random_uuid(),
    'occurred_at', one.occurred_at + number * interval '2 minutes'))).*
FROM violations.violations AS one, generate_series(1, 250) AS number WHERE read_id = $1
"""


def north_of(camera: cameras_pb2.Camera, metres: float) -> common_pb2.Place:
    place = camera.description.place
    return common_pb2.Place(
        latitude=place.latitude + metres * METRE,
        longitude=place.longitude,
        region="KZ-75",
        address="Abai 2",
    )


@pytest.fixture
def outcomes(publisher: Any, outcome_of: Outcome) -> Callable[..., Awaitable[list[str]]]:
    """Publishes reads one after the other, and tells what came of each."""

    async def send(*events: Any) -> list[str]:
        came = []
        for event in events:
            await publisher.read(event)
            came.append((await outcome_of(event.read_id))["outcome"])
        return came

    return send


@pytest.mark.parametrize(
    ("metres", "seconds", "second"),
    [
        (1, 0, "duplicate"),
        (299, 59, "duplicate"),
        (299, -59, "duplicate"),
        (310, 59, "violation"),
        (299, 61, "violation"),
    ],
)
async def test_two_cameras_that_see_one_passage_give_one_violation(
    outcomes: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    plate: str,
    metres: float,
    seconds: float,
    second: str,
) -> None:
    beside = new_camera(place=north_of(camera, metres))
    now = system_clock() - timedelta(minutes=5)
    first = plate_read(plate, at=now)
    again = plate_read(plate, at=now + timedelta(seconds=seconds), by=beside, speed_kmh=115.0)
    assert await outcomes(first, again) == ["violation", second]


async def test_another_plate_or_another_rule_is_another_violation(
    outcomes: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    plate: str,
) -> None:
    light = new_camera(
        place=north_of(camera, 1), kind=cameras_pb2.CAMERA_KIND_RED_LIGHT, speed_tolerance_kmh=0.0
    )
    now = system_clock()
    red = {"signal_phase": 3, "signal_age_seconds": 2.4, "past_stop_line": True}
    events = (
        plate_read(plate, at=now),
        plate_read(at=now),
        plate_read(plate, at=now, by=light, **red),
    )
    assert await outcomes(*events) == ["violation"] * 3


async def test_a_camera_may_widen_the_window_of_its_own_and_never_narrow_it(
    outcomes: Any, plate_read: Reads, new_camera: Cameras, new_plate: Callable[[], str]
) -> None:
    hasty, slow = new_camera(dedupe_seconds=1), new_camera(dedupe_seconds=600)
    now = system_clock()

    def after(seconds: float, plate: str, by: Any) -> Any:
        return plate_read(plate, at=now - timedelta(hours=1) + timedelta(seconds=seconds), by=by)

    plate = new_plate()
    assert await outcomes(after(0, plate, hasty), after(59, plate, hasty)) == [
        "violation",
        "duplicate",
    ]
    assert await outcomes(after(62, plate, hasty)) == ["violation"]
    plate = new_plate()
    assert await outcomes(after(0, plate, slow), after(599, plate, slow)) == [
        "violation",
        "duplicate",
    ]
    # A window of its own: the camera beside it has seen another passage.
    beside = new_camera(place=north_of(slow, 10), dedupe_seconds=600)
    assert await outcomes(after(400, plate, beside)) == ["violation"]


async def test_one_passage_before_four_cameras_at_once_is_one_violation(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    outcome_of: Outcome,
    new_plate: Callable[[], str],
) -> None:
    row = [new_camera(place=north_of(camera, metres)) for metres in range(0, 40, 10)]
    for _ in range(6):  # who is first differs
        plate, now = new_plate(), system_clock()
        events = [plate_read(plate, at=now, by=one) for one in row]
        await asyncio.gather(*(publisher.read(event) for event in events))
        came = [(await outcome_of(event.read_id))["outcome"] for event in events]
        assert sorted(came) == ["duplicate"] * 3 + ["violation"]


async def test_a_passage_is_known_however_often_the_plate_was_recorded_later(
    outcomes: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    plate: str,
    engines: RunningTestMesh,
) -> None:
    """A frame that was kept through an outage comes when hundreds of records are newer."""
    began = system_clock() - timedelta(hours=10)
    first = plate_read(plate, at=began)
    again = plate_read(
        plate, at=began + timedelta(seconds=1), by=new_camera(place=north_of(camera, 1))
    )
    assert await outcomes(first) == ["violation"]
    connection = await asyncpg.connect(engines.database.url)
    await connection.execute(MANY_LATER, first.read_id)
    await connection.close()
    assert await outcomes(again) == ["duplicate"]


async def test_evidence_of_one_violation_is_refused_to_another_by_name(
    outcomes: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    violations_of: Wait,
    audited: Audited,
) -> None:
    evidence, now = new_id().hex * 2, system_clock()
    first = plate_read(at=now - timedelta(hours=1), evidence=evidence)
    again = plate_read(first.plate.text, at=now, evidence=evidence)  # signed anew
    elsewhere = plate_read(at=now, evidence=evidence, by=new_camera())
    assert await outcomes(first, again, elsewhere) == [
        "violation",
        "evidence_reused",
        "evidence_reused",
    ]
    [violation] = await violations_of(camera.camera_id)
    entries = await audited(f"violation:{violation.violation_id}")
    refusals = [one for one in entries if one["action"] == "refuse_evidence"]
    assert [one["facts"] for one in refusals] == [
        {
            "reason": "evidence_reused",
            "evidence": evidence,
            "read": event.read_id,
            "camera": event.camera_id,
        }
        for event in (again, elsewhere)
    ]


async def test_evidence_that_is_used_at_once_is_used_once(
    publisher: Any, plate_read: Reads, outcome_of: Outcome
) -> None:
    evidence = new_id().hex * 2
    events = [plate_read(evidence=evidence) for _ in range(8)]
    await asyncio.gather(*(publisher.read(event) for event in events))
    came = [(await outcome_of(event.read_id))["outcome"] for event in events]
    assert sorted(came) == ["evidence_reused"] * 7 + ["violation"]


async def test_a_citizen_who_hands_in_known_evidence_is_answered_by_an_officer(
    outcomes: Any,
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    peers: Any,
    violations_of: Wait,
    inspector: Any,
    prepared: Callable[..., Awaitable[Any]],
) -> None:
    """The file stays where it stands; the report is decided, with both cases before the officer."""
    event = plate_read()
    assert await outcomes(event) == ["violation"]
    [measured] = await violations_of(camera.camera_id)
    own = new_id().hex * 2
    report = reports_pb2.DeskReport(
        report=reports_pb2.Report(report_id=str(new_id())),
        place=camera.description.place,
        accepted_plate=event.plate.text,
        accepted_offence_code="SIGN_MARKING",
        occurred_at=to_timestamp(system_clock()),
        media=[reports_pb2.Media(evidence_sha256=sha) for sha in (event.evidence_sha256, own)],
    )
    peers.reports[report.report.report_id] = report
    accepted = report_events.TrafficEvidenceAccepted(
        report_id=report.report.report_id, region="KZ-75"
    )
    for _ in range(2):
        await publisher.send(
            "reports.v1.traffic_evidence_accepted", accepted, user="citizen-reports"
        )
    [candidate] = await violations_of(report_id=report.report.report_id)
    assert (candidate.hold_reason, list(candidate.evidence_sha256)) == ("EVIDENCE_REUSED", [own])
    assert list(candidate.conflicting_violation_ids) == [measured.violation_id]
    assert list(candidate.actions) == ["reject"]
    # A citizen's word holds nobody's case.
    [measured] = await violations_of(camera.camera_id)
    assert (measured.hold_reason, measured.version) == ("", 2)
    await inspector.call("ConfirmViolation", await prepared(measured.violation_id))
    await inspector.call(
        "RejectViolation",
        await prepared(candidate.violation_id, verdict=pb.VERDICT_REJECT, reason="decided already"),
    )
