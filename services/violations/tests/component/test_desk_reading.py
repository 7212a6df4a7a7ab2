"""Who reads which violations, how they are listed, and what reading them leaves in the log."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from chassis.clock import system_clock
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .callers import refused

As = Callable[..., Any]
Reads = Callable[..., Any]
Prepared = Callable[..., Awaitable[Any]]
Wait = Callable[..., Awaitable[list[pb.Violation]]]


async def test_another_regions_officer_finds_nothing(as_: As, violation_id: str) -> None:
    astana = as_(operator="inspector-astana")
    get = pb.GetViolationRequest(violation_id=violation_id)
    assert (await refused(astana.call("GetViolation", get))).code == "VIOLATION_NOT_FOUND"
    prepare = pb.PrepareDecisionRequest(violation_id=violation_id, verdict=pb.VERDICT_CONFIRM)
    assert (await refused(astana.call("PrepareDecision", prepare))).code == "VIOLATION_NOT_FOUND"
    answer = await astana.call("ListViolations", pb.ListViolationsRequest(region="KZ-75"))
    assert not answer.violations


async def test_a_list_needs_no_purpose_and_holds_no_plate(as_: As, violation_id: str) -> None:
    listing = pb.ListViolationsRequest(region="KZ-75")
    answer = await as_(operator="inspector-almaty", purpose="").call("ListViolations", listing)
    assert violation_id in {one.violation_id for one in answer.violations}
    assert not any(one.plate.text for one in answer.violations)


async def test_fines_reads_for_a_purpose(as_: As, violation_id: str) -> None:
    get = pb.GetViolationRequest(violation_id=violation_id)
    silent = as_("fines", purpose="")
    assert (await refused(silent.call("GetViolation", get))).code == "PURPOSE_REQUIRED"
    answer = await as_("fines", purpose="issue a prescription").call("GetViolation", get)
    assert answer.violation.plate.text


@pytest.mark.parametrize(
    ("name", "kind", "operator"),
    [
        ("operator-gateway", "service", ""),
        ("citizen-reports", "service", ""),
        ("kaspi", "partner", ""),
        ("edge-1", "device", ""),
        ("operator-gateway", "service", "dispatcher-almaty"),
        ("operator-gateway", "service", "finance-1"),
    ],
)
async def test_others_read_nothing(
    as_: As, violation_id: str, name: str, kind: str, operator: str
) -> None:
    caller = as_(name, kind=kind, operator=operator, purpose="curiosity")
    get = pb.GetViolationRequest(violation_id=violation_id)
    assert (await refused(caller.call("GetViolation", get))).code == "NOT_ALLOWED"


@pytest.mark.parametrize("violation_id", ["", "nonsense"])
async def test_an_id_that_is_none_is_not_found(inspector: Any, violation_id: str) -> None:
    get = pb.GetViolationRequest(violation_id=violation_id)
    assert (await refused(inspector.call("GetViolation", get))).code == "VIOLATION_NOT_FOUND"


async def test_the_queue_goes_oldest_first_through_all_pages(
    as_: As, publisher: Any, plate_read: Reads, camera: cameras_pb2.Camera, violations_of: Wait
) -> None:
    camera.description.place.region = "KZ-47"
    now = system_clock()
    for age in (3, 1, 2):
        await publisher.read(plate_read(at=now - timedelta(minutes=age)))
    auditor = as_(operator="auditor-1")
    await violations_of(camera.camera_id, count=3, caller=auditor)
    seen: list[Any] = []
    token = ""
    while True:
        request = pb.ListViolationsRequest(
            state=pb.VIOLATION_STATE_REVIEW,
            region="KZ-47",
            offence_code="SPEED_20_40",
            page=common_pb2.Page(size=2, token=token),
        )
        answer = await auditor.call("ListViolations", request)
        seen += answer.violations
        token = answer.next_page_token
        if not token:
            break
    moments = [one.occurred_at.ToDatetime() for one in seen]
    assert len(moments) == 3 and moments == sorted(moments)


async def test_every_read_and_decision_is_in_the_audit_log(
    as_: As, inspector: Any, violation_id: str, prepared: Prepared, audited: Prepared
) -> None:
    get = pb.GetViolationRequest(violation_id=violation_id)
    caller = as_(operator="inspector-almaty", purpose="case 7")
    await caller.call("GetViolation", get)
    request = await prepared(violation_id)
    await inspector.call("ConfirmViolation", request)
    mine = await audited(f"violation:{violation_id}")
    assert [one["action"] for one in mine] == ["detect", "read", "prepare", "confirm"]
    assert mine[1]["actor"] == "operator/inspector-almaty" and mine[1]["purpose"] == "case 7"
    assert mine[3]["facts"]["decision"] == request.decision_id


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM violations",
        "UPDATE violations SET over_kmh = 1",
        "UPDATE decisions SET officer = 'x'",
        "DELETE FROM decisions",
        "DELETE FROM conflicts",
        "UPDATE conflicts SET holds = false",
        "DELETE FROM evidence_uses",
        "UPDATE evidence_uses SET violation_id = NULL",
        "SELECT * FROM camera_registry.cameras",
    ],
)
async def test_the_service_may_not_change_what_was_measured_or_decided(
    engines: RunningTestMesh, service: str, statement: str
) -> None:
    connection = await asyncpg.connect(engines.database.runtime_url("violations"))
    try:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)):
            await connection.execute(statement)
    finally:
        await connection.close()


async def row_of(caller: Any, violation_id: str) -> pb.Violation:
    """Its row in the list, on whichever page other tests have pushed it to."""
    token = ""
    while True:
        page = common_pb2.Page(size=100, token=token)
        answer = await caller.call("ListViolations", pb.ListViolationsRequest(page=page))
        for row in answer.violations:
            if row.violation_id == violation_id:
                return row  # type: ignore[no-any-return]
        token = answer.next_page_token
        assert token, "not in the list"


async def test_each_reader_is_told_what_he_may_do_now(
    as_: As, inspector: Any, violation_id: str, prepared: Prepared
) -> None:
    async def offered(caller: Any) -> list[str]:
        got = await caller.call("GetViolation", pb.GetViolationRequest(violation_id=violation_id))
        row = await row_of(caller, violation_id)
        assert row.actions == got.violation.actions
        return list(got.violation.actions)

    supervisor, auditor = as_(operator="supervisor-almaty"), as_(operator="auditor-1")
    assert await offered(inspector) == ["confirm", "reject"]
    assert await offered(supervisor) == await offered(auditor) == []
    confirmed = await inspector.call("ConfirmViolation", await prepared(violation_id))
    assert not confirmed.violation.actions
    assert await offered(inspector) == []
    assert await offered(supervisor) == ["annul"]
    fines = await as_("fines", purpose="issue a prescription").call(
        "GetViolation", pb.GetViolationRequest(violation_id=violation_id)
    )
    assert not fines.violation.actions
