"""Open reports have no operator once nobody is posted who could work on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from chassis.clock import new_id, system_clock, to_timestamp
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.usecases.personnel import RELEASE_CASES
from tartip.reports.v1 import personnel_pb2 as staff
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, Register, draft, refused, until
from .test_complaints import Posted, an_officer, end, lasting, posted
from .test_routing import after, put_desk
from .test_ways_around import signed_in

__all__ = ["posted"]


async def taken_by(desk: As, register: Register) -> tuple[str, str]:
    """The id and unit of a report that an operator works on."""
    report_id, receipt = await register(draft())
    await desk.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    return report_id, receipt.unit


async def is_free(desk: As, report_id: str) -> bool:
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    shown = (await desk.at_desk("GetReport", request)).report
    return (shown.operator, shown.report.status) == ("", pb.REPORT_STATUS_ROUTED)


async def test_a_posting_ends_by_itself_at_its_end(
    as_: Callable[..., As],
    engines: RunningTestMesh,
    administrator: As,
    register: Register,
    db: Database,
) -> None:
    desk = signed_in(as_, engines, "supervisor", log_in="until-today")
    report_id, unit = await taken_by(desk, register)
    officer = an_officer(log_in="until-today")
    await administrator.of_personnel(
        "PutOfficer", staff.PutOfficerRequest(request_id=str(new_id()), officer=officer)
    )
    now = system_clock()
    posting = staff.Posting(
        posting_id=str(new_id()),
        unit=unit,
        starts_at=to_timestamp(now - timedelta(days=9)),
        ends_at=to_timestamp(now + timedelta(seconds=3)),
    )
    request = staff.AddPostingRequest(officer_id=officer.officer_id, posting=posting)
    await administrator.of_personnel("AddPosting", request)
    async with db.begin(SYSTEM) as tx:  # work that comes too early comes again
        await tx.reschedule(RELEASE_CASES, posting.posting_id, now)
    if system_clock() < now + timedelta(seconds=2):
        assert not await is_free(desk, report_id)
    await until(lambda: is_free(desk, report_id))


async def test_who_is_posted_nowhere_any_more_keeps_no_report_of_any_unit(
    as_: Callable[..., As],
    engines: RunningTestMesh,
    administrator: As,
    register: Register,
    posted: Posted,
) -> None:
    desk = signed_in(as_, engines, "inspector", log_in="posted-nowhere")
    report_id, unit = await taken_by(desk, register)
    # The traffic desk works by day; at night the report is the duty desk's.
    [other] = {"KZ-75-duty", "KZ-75-traffic"} - {unit}
    officer = await posted(other, log_in="posted-nowhere")
    await end(administrator, lasting(officer, other))
    await until(lambda: is_free(desk, report_id))


async def test_a_unit_that_ends_takes_its_postings_along(
    as_: Callable[..., As],
    engines: RunningTestMesh,
    administrator: As,
    register: Register,
    posted: Posted,
) -> None:
    unit = f"KZ-75-{new_id().hex[-10:]}"
    await put_desk(administrator, unit, "KZ-75")
    desk = signed_in(as_, engines, "supervisor", log_in="of-ended-unit")
    report_id, _ = await taken_by(desk, register)
    officer = await posted(unit, log_in="of-ended-unit")
    await put_desk(administrator, unit, "KZ-75", valid_until=after(minutes=-1))
    await until(lambda: is_free(desk, report_id))
    listed = await administrator.of_personnel("ListOfficers", staff.ListOfficersRequest(unit=unit))
    [posting] = listed.officers[0].postings
    assert posting.ends_at.ToDatetime() > posting.starts_at.ToDatetime()
    again = staff.Posting(posting_id=str(new_id()), unit=unit, starts_at=after())
    request = staff.AddPostingRequest(officer_id=officer.officer_id, posting=again)
    refusal = await refused(administrator.of_personnel("AddPosting", request))
    assert [(one.field, one.code) for one in refusal.fields] == [("posting.unit", "UNIT_UNKNOWN")]
    end_of_unit = after(hours=1)
    await put_desk(administrator, unit, "KZ-75", valid_until=end_of_unit)
    answer = await administrator.of_personnel("AddPosting", request)
    [_, added] = answer.officer.postings
    assert added.ends_at == end_of_unit


async def test_a_log_in_that_is_taken_away_keeps_no_report(
    as_: Callable[..., As],
    engines: RunningTestMesh,
    administrator: As,
    register: Register,
    posted: Posted,
) -> None:
    desk = signed_in(as_, engines, "supervisor", log_in="without-log-in")
    report_id, unit = await taken_by(desk, register)
    officer = await posted(unit, log_in="without-log-in")
    officer.log_in = ""
    request = staff.PutOfficerRequest(request_id=str(new_id()), officer=officer)
    await administrator.of_personnel("PutOfficer", request)
    await until(lambda: is_free(desk, report_id))
