"""From a plate read or a citizen's evidence to the queue: once, held where the law says so."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from chassis.clock import new_id, system_clock
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import inference_pb2
from tartip.reports.v1 import events_pb2 as report_events
from tartip.reports.v1 import reports_pb2
from tartip.violations.v1 import violations_pb2 as pb
from tartip_cli.settings import find_checkout
from tartip_testing.mesh import RunningTestMesh

Outcome = Callable[[str], Awaitable[asyncpg.Record]]
Reads = Callable[..., Any]
Wait = Callable[..., Awaitable[list[pb.Violation]]]


RED = {
    "signal_phase": inference_pb2.SIGNAL_PHASE_RED,
    "signal_age_seconds": 1.2,
    "past_stop_line": True,
}


async def test_a_speeding_car_comes_to_the_queue_with_all_that_a_prescription_needs(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    inspector: Any,
) -> None:
    event = plate_read("453DXA02")
    await publisher.read(event, story="12" * 16)
    [listed] = await violations_of(camera.camera_id)
    request = pb.GetViolationRequest(violation_id=listed.violation_id)
    violation = (await inspector.call("GetViolation", request)).violation
    assert (violation.state, violation.source) == (
        pb.VIOLATION_STATE_REVIEW,
        pb.VIOLATION_SOURCE_DEVICE,
    )
    assert (violation.offence.code, violation.offence.article) == ("SPEED_20_40", "592(2)")
    assert violation.over_kmh == 30.0
    assert violation.plate == event.plate and violation.readings == event.readings
    assert violation.place == camera.description.place
    assert violation.occurred_at == event.readings.device_time
    verification = camera.description.verifications[0]
    assert violation.device == pb.Device(
        name="Sergek S2",
        serial=camera.description.serial,
        certificate_number="KZ.C.1",
        verification_number="V-1",
        verification_from=verification.valid_from,
        verification_until=verification.valid_until,
        kind=cameras_pb2.CAMERA_KIND_SPEED_POINT,
        tolerance_kmh=2.0,
    )
    assert list(violation.evidence_sha256) == [event.evidence_sha256]
    assert violation.story == "12" * 16 and not violation.hold_reason and violation.version == 1


async def test_a_list_shows_no_plate(
    publisher: Any, plate_read: Reads, camera: cameras_pb2.Camera, violations_of: Wait
) -> None:
    await publisher.read(plate_read())
    [listed] = await violations_of(camera.camera_id)
    assert not listed.HasField("plate") and not listed.place.address


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (cameras_pb2.CAMERA_KIND_SPEED_POINT, "SPEED_20_40"),
        (cameras_pb2.CAMERA_KIND_SPEED_SECTION, "SPEED_20_40"),
        (cameras_pb2.CAMERA_KIND_RED_LIGHT, "RED_LIGHT"),
    ],
)
async def test_a_camera_finds_what_it_was_built_for_and_nothing_else(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    outcome_of: Outcome,
    kind: Any,
    code: str,
) -> None:
    camera.description.kind = kind
    event = plate_read(**RED)
    await publisher.read(event)
    assert (await outcome_of(event.read_id))["outcome"] == "violation"
    [found] = await violations_of(camera.camera_id)
    assert (found.offence.code, found.device.kind) == (code, kind)


@pytest.mark.parametrize("kind", ["UNSPECIFIED", "OVERVIEW", "FACE", "ANPR", "BODY", "DRONE"])
async def test_an_overview_camera_finds_nothing(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    outcome_of: Outcome,
    engines: RunningTestMesh,
    kind: str,
) -> None:
    camera.description.kind = cameras_pb2.CameraKind.Value(f"CAMERA_KIND_{kind}")
    event = plate_read(**RED)
    await publisher.read(event)
    assert (await outcome_of(event.read_id))["outcome"] == "kind_unfit"
    # The statement of the runbook names the camera.
    runbooks = (find_checkout() / "docs" / "runbooks.md").read_text()
    [statement] = re.findall(r"`(SELECT camera_id[^`]* = 'kind_unfit' [^`]*)`", runbooks)
    connection = await asyncpg.connect(engines.database.url)
    named = {str(row["camera_id"]) for row in await connection.fetch(statement)}
    await connection.close()
    assert camera.camera_id in named


async def test_an_event_delivered_twice_has_one_effect(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    outcome_of: Outcome,
) -> None:
    event = plate_read()
    told = await publisher.read(event)
    await publisher.read(event, event_id=told)
    await publisher.read(event)  # the same read under another event
    await outcome_of(event.read_id)
    await asyncio.sleep(1)
    assert len(await violations_of(camera.camera_id)) == 1


async def test_a_plate_is_seen_once_in_the_window_whatever_the_bracket(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    outcome_of: Outcome,
) -> None:
    plate, now = "777ABC02", system_clock()
    first = plate_read(plate, at=now - timedelta(minutes=20))
    again = plate_read(plate, at=now - timedelta(minutes=11), speed_kmh=115.0)
    later = plate_read(plate, at=now - timedelta(minutes=1))
    for event in (first, again, later):
        await publisher.read(event)
        await outcome_of(event.read_id)
    assert (await outcome_of(again.read_id))["outcome"] == "duplicate"
    assert len(await violations_of(camera.camera_id, count=2)) == 2


async def test_twenty_reads_of_one_passage_at_once_are_one_violation(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    outcome_of: Outcome,
) -> None:
    now = system_clock()
    events = [plate_read("888ABC02", at=now + timedelta(milliseconds=n)) for n in range(20)]
    await asyncio.gather(*(publisher.read(event) for event in events))
    outcomes = [(await outcome_of(event.read_id))["outcome"] for event in events]
    assert sorted(outcomes) == ["duplicate"] * 19 + ["violation"]
    assert len(await violations_of(camera.camera_id)) == 1


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"speed_kmh": 71.9}, "no_offence"),
        ({"at": datetime(2024, 1, 1, tzinfo=UTC)}, "rules_missing"),
    ],
)
async def test_a_read_that_shows_nothing_is_counted_and_loses_its_plate(
    publisher: Any,
    plate_read: Reads,
    outcome_of: Outcome,
    engines: RunningTestMesh,
    changes: dict[str, Any],
    outcome: str,
) -> None:
    event = plate_read(**changes)
    await publisher.read(event)
    row = await outcome_of(event.read_id)
    assert (row["outcome"], row["plate_sealed"]) == (outcome, None)
    connection = await asyncpg.connect(engines.database.url)
    key = await connection.fetchrow(
        "SELECT wrapped, destroyed_at FROM violations.data_keys WHERE key_id = $1", row["key_id"]
    )
    await connection.close()
    assert key["wrapped"] is None and key["destroyed_at"] is not None


async def test_an_unknown_camera_ends_the_matter(
    publisher: Any,
    plate_read: Reads,
    peers: Any,
    camera: cameras_pb2.Camera,
    outcome_of: Outcome,
) -> None:
    del peers.cameras[camera.camera_id]
    event = plate_read()
    await publisher.read(event)
    assert (await outcome_of(event.read_id))["outcome"] == "camera_unknown"


async def test_a_read_waits_while_the_register_is_away(
    publisher: Any, plate_read: Reads, peers: Any, camera: cameras_pb2.Camera, violations_of: Wait
) -> None:
    peers.away, asked = True, peers.asked
    try:
        await publisher.read(plate_read())
        async with asyncio.timeout(60):
            while True:
                if peers.asked > asked:
                    break
                await asyncio.sleep(0.05)
    finally:
        peers.away = False
    assert len(await violations_of(camera.camera_id)) == 1


async def test_a_read_without_readings_leaves_nothing(
    publisher: Any, plate_read: Reads, outcome_of: Outcome, engines: RunningTestMesh
) -> None:
    silent, measured = plate_read(measured=False), plate_read()
    await publisher.read(silent)
    await publisher.read(measured)
    await outcome_of(measured.read_id)
    connection = await asyncpg.connect(engines.database.url)
    kept = await connection.fetchval(
        "SELECT count(*) FROM violations.reads WHERE read_id = $1", silent.read_id
    )
    await connection.close()
    assert kept == 0


async def test_a_read_that_cannot_be_understood_is_a_dead_letter_and_stops_nobody(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    engines: RunningTestMesh,
) -> None:
    told = await publisher.read(plate_read("666ABC02", speed_kmh=float("nan")))
    await publisher.read(plate_read())
    assert len(await violations_of(camera.camera_id)) == 1
    connection = await asyncpg.connect(engines.database.url)
    letter = await connection.fetchrow(
        "SELECT error, payload FROM violations.dead_letters WHERE event_id = $1", told
    )
    await connection.close()
    assert letter["error"] == "poison: readings.speed_kmh"
    assert b"666ABC02" not in letter["payload"]  # sealed: it may be about a person


async def test_no_plate_lies_open_in_the_database(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    violations_of: Wait,
    engines: RunningTestMesh,
    prepared: Callable[..., Awaitable[Any]],
    inspector: Any,
) -> None:
    await publisher.read(plate_read("999XYZ17"))
    [violation] = await violations_of(camera.camera_id)
    await inspector.call("ConfirmViolation", await prepared(violation.violation_id))
    connection = await asyncpg.connect(engines.database.url)
    tables = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'violations'"
    )
    for table in tables:
        found = await connection.fetchval(
            f"SELECT count(*) FROM violations.{table['tablename']} t"
            " WHERE position(convert_to('999XYZ17', 'UTF8') in convert_to(t::text, 'UTF8')) > 0"
            " OR t::text LIKE '%' || encode(convert_to('999XYZ17', 'UTF8'), 'hex') || '%'"
        )
        assert found == 0, table["tablename"]
    await connection.close()


@pytest.fixture
def report(peers: Any) -> reports_pb2.DeskReport:
    made = reports_pb2.DeskReport(
        report=reports_pb2.Report(report_id=str(new_id())),
        place=common_pb2.Place(latitude=43.2, longitude=76.9, region="KZ-75", address="Satpaev 2"),
        media=[reports_pb2.Media(evidence_sha256="aa" * 32), reports_pb2.Media()],
        accepted_plate="453 dха 02",
        accepted_offence_code="SIGN_MARKING",
        story="77" * 16,
    )
    made.occurred_at.GetCurrentTime()
    peers.reports[made.report.report_id] = made
    return made


async def test_a_citizens_evidence_becomes_a_candidate_that_is_never_automatic(
    publisher: Any, report: reports_pb2.DeskReport, violations_of: Wait, inspector: Any, peers: Any
) -> None:
    report_id = report.report.report_id
    event = report_events.TrafficEvidenceAccepted(report_id=report_id, region="KZ-75")
    subject = "reports.v1.traffic_evidence_accepted"
    await publisher.send(subject, event, user="citizen-reports")
    await publisher.send(subject, event, user="citizen-reports")
    [listed] = await violations_of(report_id=report_id)
    request = pb.GetViolationRequest(violation_id=listed.violation_id)
    violation = (await inspector.call("GetViolation", request)).violation
    assert violation.source == pb.VIOLATION_SOURCE_CITIZEN
    assert violation.hold_reason == "CITIZEN_EVIDENCE"
    assert (violation.plate.text, violation.offence.article) == ("453DXA02", "601(1)")
    assert violation.place == report.place and violation.story == "77" * 16
    assert list(violation.evidence_sha256) == ["aa" * 32]
    assert violation.occurred_at == report.occurred_at
    assert all(peers.purposes)
