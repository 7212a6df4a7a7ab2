"""A partner compares a day: its own reports alone, under the categories that it gave."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from chassis.clock import new_id, system_clock
from law.zone import almaty_day
from tartip.common.v1 import common_pb2
from tartip.partners.v1 import partners_pb2 as partners
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, Register, complaint, draft, refused
from .test_partners import add


@pytest.fixture
async def app(engines: RunningTestMesh, as_: Callable[..., As]) -> As:
    """A partner that has handed in nothing."""
    name = f"counted-{new_id().hex[-12:]}"
    engines.certificates.issue_partner(name)
    await add(as_(operator="partners-1"), name, partners.PARTNER_SCOPE_REPORTS)
    return as_(name)


def today() -> str:
    return almaty_day(system_clock()).isoformat()


async def counted(app: As, day: str = "") -> pb.DayCount:
    found: pb.DayCount = (await app.app("CountDay", pb.CountDayRequest(day=day or today()))).count
    return found


async def listed(app: As, size: int) -> list[pb.DayReport]:
    found: list[pb.DayReport] = []
    request = pb.ListDayRequest(day=today(), page=common_pb2.Page(size=size))
    while True:
        page = await app.app("ListDay", request)
        found += page.reports
        if not page.next_page_token:
            return found
        request.page.token = page.next_page_token


def digest_of(ids: list[str]) -> str:
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(ids)).encode()).hexdigest()


async def test_what_was_registered_is_counted_by_kind_and_drafts_are_not(
    app: As, kaspi: As, register: Register
) -> None:
    await register(by=kaspi)
    await app.app("OpenReport", draft())
    given = [draft(), draft(), draft(category=pb.CATEGORY_OTHER), complaint()]
    for each in given:
        await register(each, by=app)
    await app.app("WithdrawReport", pb.WithdrawReportRequest(report_id=given[2].report_id))
    count = await counted(app)
    assert (count.day, count.is_over, count.accepted) == (today(), False, 4)
    assert {kind.category: kind.accepted for kind in count.kinds} == {
        pb.CATEGORY_TRAFFIC_VIOLATION: 2,
        pb.CATEGORY_OTHER: 1,
        pb.CATEGORY_COMPLAINT_ABOUT_OFFICER: 1,
    }
    assert (count.open, count.withdrawn, count.answered, count.closed) == (3, 1, 0, 0)
    assert count.ids_sha256 == digest_of([each.report_id for each in given])


async def test_every_page_together_lists_what_is_counted(app: As, register: Register) -> None:
    made = dict([await register(by=app) for _ in range(5)])
    found = await listed(app, size=2)
    assert {report.report_id: report.number for report in found} == {
        report_id: receipt.number for report_id, receipt in made.items()
    }
    assert {report.status for report in found} == {pb.REPORT_STATUS_ROUTED}
    assert (await counted(app)).ids_sha256 == digest_of([report.report_id for report in found])


async def test_a_raised_report_is_counted_under_the_category_that_the_partner_gave(
    app: As, register: Register, dispatcher: As
) -> None:
    report_id, _ = await register(draft(category=pb.CATEGORY_OTHER), by=app)
    before = await counted(app)
    raised = pb.RaiseReportRequest(
        report_id=report_id,
        category=pb.CATEGORY_COMPLAINT_ABOUT_OFFICER,
        reason="the text is about an officer",
    )
    await dispatcher.at_desk("RaiseReport", raised)
    assert await counted(app) == before
    assert [report.category for report in await listed(app, size=50)] == [pb.CATEGORY_OTHER]


async def test_an_id_that_another_partner_has_too_is_counted_as_the_app_made_it(
    app: As, kaspi: As, register: Register
) -> None:
    given = draft()
    await register(given, by=kaspi)
    await register(given, by=app)
    assert (await counted(app)).ids_sha256 == digest_of([given.report_id])
    assert [report.report_id for report in await listed(app, size=50)] == [given.report_id]


async def test_a_day_that_is_over_keeps_its_count_and_tomorrow_is_refused(app: As) -> None:
    yesterday = (almaty_day(system_clock()) - timedelta(days=1)).isoformat()
    count = await counted(app, yesterday)
    assert (count.is_over, count.accepted, list(count.kinds)) == (True, 0, [])
    tomorrow = (almaty_day(system_clock()) + timedelta(days=1)).isoformat()
    for wrong in (tomorrow, "today"):
        assert (await refused(counted(app, wrong))).code == "DAY_WRONG"
