"""What is hidden is not told in another way: by a neighbour, by two roles, by older entries."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.purpose import purpose_metadata
from chassis.transaction import SYSTEM
from citizen_reports.usecases.duplicates import Duplicates
from sqlalchemy import text
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_cli.supervisor.oidc import Issuer
from tartip_cli.topology import Operator
from tartip_testing.mesh import RunningTestMesh

from .conftest import SERVICE, As, Register, complaint, draft, jpeg, pieces_of, until
from .test_raised_reports import raising


async def test_a_report_that_was_raised_meanwhile_does_not_name_another_complaint(
    register: Register, security: As, db: Database
) -> None:
    """One of them may be about who sees the other."""
    near = common_pb2.Place(latitude=43.31001, longitude=76.91001, region="KZ-75")
    now = system_clock()
    await register(complaint(place=near, occurred=now))
    second, _ = await register(complaint(place=near, occurred=now))
    await Duplicates(db, system_clock).find(second)
    request = pb.ReportDeskGetReportRequest(report_id=second)
    steps = (await security.at_desk("GetReport", request)).report.steps
    assert not [step.note for step in steps if step.note.startswith("possible")]


async def test_a_report_of_another_region_is_not_named(register: Register, db: Database) -> None:
    """Whoever sees the one need not see the other, as beside a border."""
    # Between the places of all other drafts.
    near = common_pb2.Place(latitude=43.3205, longitude=76.9255, region="KZ-75")
    now = system_clock()
    first, _ = await register(draft(place=near, occurred=now))
    async with db.begin(SYSTEM) as tx:
        moved = text("UPDATE reports SET region = 'KZ-19' WHERE report_id = :id")
        await tx.execute(moved.bindparams(id=UUID(first)))
    second, _ = await register(draft(place=near, occurred=now))
    await Duplicates(db, system_clock).find(second)
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT duplicate_of FROM reports WHERE report_id = :id")
        assert await tx.scalar(query.bindparams(id=UUID(second))) is None


async def test_an_inspector_with_a_second_role_does_not_see_who_reported(
    as_: Callable[..., As], engines: RunningTestMesh, kaspi: As, dispatcher: As
) -> None:
    """Internal security shows reporters of complaints, and nothing of a traffic violation."""
    given = draft()
    await kaspi.app("OpenReport", given)
    await kaspi.app("PutMedia", pieces_of(given.report_id, jpeg())[0])
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
    both = signed_in(as_, engines, "inspector", "internal_security")
    request = pb.ReportDeskGetReportRequest(report_id=given.report_id)
    shown = (await both.at_desk("GetReport", request)).report
    assert shown.text == given.text
    assert shown.reporter == pb.Reporter()
    assert (await dispatcher.at_desk("GetReport", request)).report.reporter == given.reporter


def signed_in(
    as_: Callable[..., As], engines: RunningTestMesh, *roles: str, log_in: str = "of-two-roles"
) -> As:
    """An operator of these roles, whom the issuer of trials does not offer."""
    operator = Operator(id=log_in, name="Made up", roles=roles, regions=("KZ-75",))
    token = Issuer.open(engines.home.oidc, engines.oidc_issuer).token(operator)
    metadata: tuple[tuple[str, str | bytes], ...] = purpose_metadata("case 12")
    metadata = (("authorization", f"Bearer {token}"), *metadata)
    return replace(as_(operator="security-1"), metadata=metadata)


async def test_auditors_see_no_older_entry_of_a_report_that_was_raised(
    as_: Callable[..., As], dispatcher: As, register: Register
) -> None:
    """They would name a complaint to an auditor who serves beside the officer complained about."""
    auditor = as_(operator="auditor-1")
    raised, receipt = await register(draft(category=pb.CATEGORY_OTHER))
    other, _ = await register(draft(category=pb.CATEGORY_OTHER))
    names = {f"report:{raised}", f"report:{receipt.number}"}

    async def sealed() -> bool:
        return f"report:{other}" in await audited_objects(auditor)

    await until(sealed)
    assert names & await audited_objects(auditor)
    await dispatcher.at_desk(
        "RaiseReport", raising(raised, pb.CATEGORY_COMPLAINT_ABOUT_OFFICER, reason=str(new_id()))
    )
    assert not names & await audited_objects(auditor)


async def audited_objects(auditor: As) -> set[str]:
    """The objects of all entries that an auditor is shown."""
    stub = audit_pb2_grpc.AuditStub(auditor.channels.to(auditor.address, SERVICE))
    request, found = audit_pb2.ListEntriesRequest(), set[str]()
    request.page.size = 200
    while True:
        answer = await stub.ListEntries(request, timeout=10, metadata=auditor.metadata)
        found |= {json.loads(entry.canonical)["object"] for entry in answer.entries}
        request.page.token = answer.next_page_token
        if not answer.next_page_token:
            return found


async def test_auditors_are_not_told_the_subjects_of_events(
    as_: Callable[..., As], register: Register
) -> None:
    """They tell how many complaints there are, and when each was changed."""
    await register(complaint())
    auditor, command_line = as_(operator="auditor-1"), as_("tartip-cli", kind="service")
    assert await published(auditor) == set()
    assert "complaints.v1.received" in await until(lambda: published(command_line))


async def published(caller: As) -> set[str]:
    """The subjects of the events that the check of records names."""
    stub = audit_pb2_grpc.AuditStub(caller.channels.to(caller.address, SERVICE))
    request, found = audit_pb2.CheckRecordsRequest(), set[str]()
    request.page.size = 200
    while True:
        answer = await stub.CheckRecords(request, timeout=10, metadata=caller.metadata)
        found |= {event.subject for event in answer.published}
        request.page.token = answer.next_page_token
        if not answer.next_page_token:
            return found
