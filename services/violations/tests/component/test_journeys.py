"""The same vehicle at two places faster than a car drives: both held and shown, none cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.grpc_status import from_error
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import events_pb2 as report_events
from tartip.reports.v1 import reports_pb2
from tartip.violations.v1 import events_pb2
from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

As = Callable[..., Any]
Cameras = Callable[..., cameras_pb2.Camera]
Outcome = Callable[[str], Awaitable[Any]]
Prepared = Callable[..., Awaitable[Any]]
Reads = Callable[..., Any]
ASTANA = common_pb2.Place(latitude=51.1694, longitude=71.4491, region="KZ-71", address="Mangilik 1")
SHYMKENT = common_pb2.Place(latitude=42.34, longitude=69.59, region="KZ-79", address="Tauke 1")


@pytest_asyncio.fixture
async def recorded(
    publisher: Any, plate_read: Reads, plate: str, outcome_of: Outcome, as_: As
) -> Callable[..., Awaitable[str]]:
    """The violation that comes of a read of one car by a camera, in seconds from an hour ago."""
    began = system_clock() - timedelta(hours=1)
    auditor = as_(operator="auditor-1")

    async def record(by: cameras_pb2.Camera, seconds: float = 0, **given: Any) -> str:
        at = began + timedelta(seconds=seconds)
        event = plate_read(given.pop("plate", plate), at=at, by=by, **given)
        await publisher.read(event)
        assert (await outcome_of(event.read_id))["outcome"] == "violation"
        listed = (
            await auditor.call(
                "ListViolations",
                pb.ListViolationsRequest(
                    page=common_pb2.Page(size=200), region=by.description.place.region
                ),
            )
        ).violations
        [found] = [one for one in listed if event.evidence_sha256 in one.evidence_sha256]
        return str(found.violation_id)

    return record


@pytest.fixture
def shown(as_: As) -> Callable[[str], Awaitable[pb.Violation]]:
    auditor = as_(operator="auditor-1", purpose="test")

    async def get(violation_id: str) -> pb.Violation:
        request = pb.GetViolationRequest(violation_id=violation_id)
        violation: pb.Violation = (await auditor.call("GetViolation", request)).violation
        return violation

    return get


async def until_held(shown: Any, violation_id: str, hold: str) -> pb.Violation:
    async with asyncio.timeout(60):
        while True:
            violation: pb.Violation = await shown(violation_id)
            if violation.hold_reason == hold:
                return violation
            await asyncio.sleep(0.1)


def refusal_of(caught: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> str:
    return str(from_error(caught.value).reason)


async def test_two_cities_two_seconds_apart_hold_both(
    recorded: Any,
    shown: Any,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    inspector: Any,
    prepared: Prepared,
    audited: Prepared,
) -> None:
    here = await recorded(camera)
    signed = await prepared(here)
    there = await recorded(new_camera(place=ASTANA), seconds=2)
    first, second = await shown(here), await shown(there)
    assert first.hold_reason == second.hold_reason == "IMPOSSIBLE_JOURNEY"
    assert (first.version, second.version) == (2, 1)
    assert list(first.conflicting_violation_ids) == [there]
    assert list(second.conflicting_violation_ids) == [here]
    # What was prepared before is void, and nothing new can be prepared.
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await inspector.call("ConfirmViolation", signed)
    assert refusal_of(caught) == "NOT_AUTOMATIC"
    held = [one for one in await audited(f"violation:{here}") if one["action"] == "hold"]
    assert [one["facts"] for one in held] == [
        {"hold": "IMPOSSIBLE_JOURNEY", "conflicting": there, "version": "2"}
    ]
    rejection = await prepared(here, verdict=pb.VERDICT_REJECT, reason="a copied plate")
    assert f'"conflicting_violation_ids":["{there}"]'.encode() in rejection.canonical


async def test_who_reads_one_of_two_may_read_the_other_and_not_decide_it(
    recorded: Any, camera: cameras_pb2.Camera, new_camera: Cameras, inspector: Any, as_: As
) -> None:
    await recorded(camera)
    there = await recorded(new_camera(place=ASTANA), seconds=2)
    other = (
        await inspector.call("GetViolation", pb.GetViolationRequest(violation_id=there))
    ).violation
    assert other.place.region == "KZ-71" and other.plate.text and not other.actions
    prepare = pb.PrepareDecisionRequest(
        violation_id=there, verdict=pb.VERDICT_REJECT, reason="not mine"
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await inspector.call("PrepareDecision", prepare)
    assert refusal_of(caught) == "VIOLATION_NOT_FOUND"
    queue = (await inspector.call("ListViolations", pb.ListViolationsRequest())).violations
    assert there not in [one.violation_id for one in queue]
    unrelated = await recorded(new_camera(place=ASTANA), seconds=7_200, plate="001AAA01")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await inspector.call("GetViolation", pb.GetViolationRequest(violation_id=unrelated))
    assert refusal_of(caught) == "VIOLATION_NOT_FOUND"


async def test_a_possible_journey_holds_nobody(
    recorded: Any, shown: Any, camera: cameras_pb2.Camera, new_camera: Cameras
) -> None:
    here = await recorded(camera, seconds=-5 * 3_600)
    there = await recorded(new_camera(place=ASTANA))
    for violation_id in (here, there):
        assert (await shown(violation_id)).hold_reason == ""


async def test_what_is_confirmed_stays_and_a_supervisor_is_told(
    recorded: Any,
    shown: Any,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    inspector: Any,
    prepared: Prepared,
    facts_about: Prepared,
    audited: Prepared,
    plate: str,
) -> None:
    here = await recorded(camera)
    confirmed = (await inspector.call("ConfirmViolation", await prepared(here))).violation
    there = await recorded(new_camera(place=ASTANA), seconds=2)
    assert (await shown(there)).hold_reason == "IMPOSSIBLE_JOURNEY"
    still = await shown(here)
    assert (still.state, still.hold_reason, still.version) == (confirmed.state, "", 2)
    assert list(still.conflicting_violation_ids) == [there]
    told = (await facts_about(here, count=3))[2]
    assert told.subject == "violations.v1.conflict_found"
    assert told.headers["tartip-region"] == "KZ-75"
    assert events_pb2.ViolationConflictFound.FromString(told.data) == (
        events_pb2.ViolationConflictFound(
            violation_id=here, region="KZ-75", conflicting_violation_id=there
        )
    )
    assert plate.encode() not in told.data
    assert (await audited(f"violation:{here}"))[-2]["action"] == "conflict"  # then read above


async def test_a_hold_ends_when_nothing_contradicts_any_more(
    recorded: Any,
    shown: Any,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    inspector: Any,
    prepared: Prepared,
    as_: As,
    signer: Any,
    engines: RunningTestMesh,
) -> None:
    here = await recorded(camera)
    there = await recorded(new_camera(place=ASTANA), seconds=2)
    far = await recorded(new_camera(place=SHYMKENT), seconds=4)
    assert len((await shown(here)).conflicting_violation_ids) == 2
    await reject(as_(operator="inspector-astana"), signer, there, "inspector-astana")
    await until_settled(engines, there)
    # Of the two others each still contradicts the other.
    for violation_id in (here, far):
        assert (await shown(violation_id)).hold_reason == "IMPOSSIBLE_JOURNEY"
    await inspector.call(
        "RejectViolation", await prepared(here, verdict=pb.VERDICT_REJECT, reason="a copied plate")
    )
    freed = await until_held(shown, far, "")
    assert sorted(freed.conflicting_violation_ids) == sorted([here, there])
    assert freed.version == 2


async def reject(caller: Any, signer: Any, violation_id: str, officer: str) -> None:
    prepare = pb.PrepareDecisionRequest(
        violation_id=violation_id, verdict=pb.VERDICT_REJECT, reason="misread"
    )
    canonical = (await caller.call("PrepareDecision", prepare)).canonical
    signature, certificate = signer.sign(canonical, officer)
    await caller.call(
        "RejectViolation",
        pb.RejectViolationRequest(
            decision_id=str(new_id()),
            violation_id=violation_id,
            canonical=canonical,
            signature=signature,
            certificate=certificate,
        ),
    )


async def until_settled(engines: RunningTestMesh, violation_id: str) -> None:
    """Until the work that a withdrawal brings about is done."""
    query = (
        "SELECT 1 FROM violations.work WHERE kind = 'settle_conflicts' AND done_at IS NOT NULL"
        " AND key LIKE $1 || ':%'"
    )
    connection = await asyncpg.connect(engines.database.url)
    try:
        async with asyncio.timeout(60):
            while await connection.fetchval(query, violation_id) is None:
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def test_an_annulled_one_frees_the_one_it_contradicted(
    recorded: Any,
    shown: Any,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    inspector: Any,
    prepared: Prepared,
    as_: As,
) -> None:
    here = await recorded(camera)
    await inspector.call("ConfirmViolation", await prepared(here))
    there = await recorded(new_camera(place=ASTANA), seconds=2)
    annul = pb.AnnulViolationRequest(
        decision_id=str(new_id()), violation_id=here, reason="a copied plate"
    )
    await as_(operator="supervisor-almaty").call("AnnulViolation", annul)
    await until_held(shown, there, "")


async def test_what_was_rejected_proves_nothing(
    recorded: Any,
    shown: Any,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    inspector: Any,
    prepared: Prepared,
) -> None:
    here = await recorded(camera)
    await inspector.call(
        "RejectViolation", await prepared(here, verdict=pb.VERDICT_REJECT, reason="misread")
    )
    there = await shown(await recorded(new_camera(place=ASTANA), seconds=2))
    assert there.hold_reason == "" and not there.conflicting_violation_ids


async def test_a_hold_of_its_own_stays(
    recorded: Any, shown: Any, camera: cameras_pb2.Camera, new_camera: Cameras
) -> None:
    here = await recorded(camera, plate_type="police")
    there = await recorded(new_camera(place=ASTANA), seconds=2)
    first, second = await shown(here), await shown(there)
    assert (first.hold_reason, first.version) == ("PLATE_NOT_AUTOMATIC", 2)
    assert second.hold_reason == "IMPOSSIBLE_JOURNEY"
    assert list(first.conflicting_violation_ids) == [there]


async def test_a_device_whose_clock_is_wrong_holds_nobody_elses(
    recorded: Any, shown: Any, camera: cameras_pb2.Camera, new_camera: Cameras
) -> None:
    here = await recorded(camera)
    there = await recorded(
        new_camera(place=ASTANA), seconds=2, arrived_at=system_clock() + timedelta(days=2)
    )
    first, second = await shown(here), await shown(there)
    assert (first.hold_reason, second.hold_reason) == ("", "DEVICE_CLOCK_BEHIND")
    assert list(first.conflicting_violation_ids) == [there]


async def test_a_citizens_word_is_shown_and_holds_nobody(
    recorded: Any,
    shown: Any,
    camera: cameras_pb2.Camera,
    plate: str,
    publisher: Any,
    peers: Any,
    violations_of: Prepared,
    as_: As,
) -> None:
    here = await recorded(camera)
    at = (await shown(here)).occurred_at.ToDatetime(tzinfo=UTC) + timedelta(seconds=2)
    report = reports_pb2.DeskReport(
        report=reports_pb2.Report(report_id=str(new_id())),
        place=ASTANA,
        accepted_plate=plate,
        accepted_offence_code="SIGN_MARKING",
        occurred_at=to_timestamp(at),
        media=[reports_pb2.Media(evidence_sha256=new_id().hex * 2)],
    )
    peers.reports[report.report.report_id] = report
    accepted = report_events.TrafficEvidenceAccepted(
        report_id=report.report.report_id, region="KZ-71"
    )
    await publisher.send("reports.v1.traffic_evidence_accepted", accepted, user="citizen-reports")
    [candidate] = await violations_of(
        report_id=report.report.report_id, caller=as_(operator="auditor-1")
    )
    assert candidate.hold_reason == "CITIZEN_EVIDENCE"
    assert list(candidate.conflicting_violation_ids) == [here]
    measured = await shown(here)
    assert (measured.hold_reason, measured.version) == ("", 2)
    assert list(measured.conflicting_violation_ids) == [candidate.violation_id]


async def test_two_cities_at_once_hold_both_whoever_is_first(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    outcome_of: Outcome,
    shown: Any,
    as_: As,
) -> None:
    cameras, now = (camera, new_camera(place=ASTANA)), system_clock()
    for number in range(5):
        plate = f"{number:03d}QQW02"
        events = [plate_read(plate, at=now, by=one) for one in cameras]
        await asyncio.gather(*(publisher.read(event) for event in events))
        for event in events:
            assert (await outcome_of(event.read_id))["outcome"] == "violation"
    listed = (
        await as_(operator="auditor-1").call(
            "ListViolations", pb.ListViolationsRequest(page=common_pb2.Page(size=200))
        )
    ).violations
    mine = [one for one in listed if one.camera_id in [one.camera_id for one in cameras]]
    assert [one.hold_reason for one in mine] == ["IMPOSSIBLE_JOURNEY"] * 10
    pairs = {one.violation_id: list(one.conflicting_violation_ids) for one in mine}
    assert all(pairs[other] == [one] for one, [other] in pairs.items())


async def test_a_confirmation_and_a_hold_at_once_leave_no_confirmed_one_beside_a_free_one(
    publisher: Any,
    plate_read: Reads,
    camera: cameras_pb2.Camera,
    new_camera: Cameras,
    recorded: Any,
    shown: Any,
    outcome_of: Outcome,
    inspector: Any,
    prepared: Prepared,
) -> None:
    astana = new_camera(place=ASTANA)
    for number in range(5):
        plate = f"{number:03d}QQZ02"
        here = await recorded(camera, plate=plate)
        at = (await shown(here)).occurred_at.ToDatetime(tzinfo=UTC) + timedelta(seconds=2)
        signed, event = await prepared(here), plate_read(plate, at=at, by=astana)
        await asyncio.gather(
            inspector.call("ConfirmViolation", signed),
            publisher.read(event),
            return_exceptions=True,
        )
        assert (await outcome_of(event.read_id))["outcome"] == "violation"
        first = await shown(here)
        [other] = first.conflicting_violation_ids
        assert (await shown(other)).hold_reason == "IMPOSSIBLE_JOURNEY"
        confirmed = first.state == pb.VIOLATION_STATE_CONFIRMED
        assert first.hold_reason == ("" if confirmed else "IMPOSSIBLE_JOURNEY")
