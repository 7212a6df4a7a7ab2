"""What an app is told of its reports is true now; and the list is narrowed as it asks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import from_timestamp, to_timestamp
from citizen_reports.model.law import read_law
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.paging import assert_token_is_bound

from .conftest import As, Register, complaint, draft, jpeg, pieces_of, refused
from .test_correspondence import answered, asked, dispute, get, reply

OPEN, ROUTED = pb.REPORT_STATUS_OPEN, pb.REPORT_STATUS_ROUTED
DISPUTE_DAYS = read_law().deadlines.table.dispute_days


async def test_the_next_date_moves_with_the_report_and_the_receipt_stays(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    report_id, receipt = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    assert (await get(kaspi, report_id)).due_at == receipt.response_due_at
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    assert (await get(kaspi, report_id)).due_at == receipt.response_due_at
    await dispatcher.at_desk("RecordArrival", pb.RecordArrivalRequest(report_id=report_id))
    taken = await get(kaspi, report_id)
    assert taken.due_at == receipt.due_at
    ask = pb.AskReporterRequest(report_id=report_id, question="Which lamp?")
    await dispatcher.at_desk("AskReporter", ask)
    waits = await get(kaspi, report_id)
    assert not waits.HasField("due_at") and list(waits.actions) == ["reply"]
    await kaspi.app("ReplyToQuestion", reply(report_id))
    assert from_timestamp((await get(kaspi, report_id)).due_at) >= from_timestamp(taken.due_at)
    assert {waits.receipt.due_at.seconds, taken.receipt.due_at.seconds} == {receipt.due_at.seconds}


async def test_the_unit_is_the_one_that_has_it_and_a_complaints_is_that_of_the_receipt(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    report_id, receipt = await register(draft(category=pb.CATEGORY_OTHER))
    assert (await get(kaspi, report_id)).unit == receipt.unit
    route = pb.RouteReportRequest(report_id=report_id, unit="KZ-75-duty", reason="at night")
    await dispatcher.at_desk("RouteReport", route)
    moved = await get(kaspi, report_id)
    assert (moved.unit, moved.receipt.unit) == ("KZ-75-duty", receipt.unit)
    complaint_id, receipt = await register(complaint())
    assert (await get(kaspi, complaint_id)).unit == receipt.unit


async def test_actions_are_those_that_are_accepted_now(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    given = draft()
    opened = (await kaspi.app("OpenReport", given)).report
    assert list(opened.actions) == ["put_media", "submit", "withdraw"]
    assert not opened.HasField("due_at") and not opened.unit
    content = jpeg(400, noise=True)
    first, *rest = pieces_of(given.report_id, content, size=len(content) // 2 + 1)
    await kaspi.app("PutMedia", first)
    assert list((await get(kaspi, given.report_id)).actions) == ["put_media", "withdraw"]
    assert {"submit"} & set((await _listed(kaspi, given.report_id)).actions) == set()
    for piece in rest:
        await kaspi.app("PutMedia", piece)
    assert list((await get(kaspi, given.report_id)).actions) == list(opened.actions)
    report_id, _ = await register()
    assert list((await get(kaspi, report_id)).actions) == ["withdraw"]
    await answered(dispatcher, report_id)
    answer = await get(kaspi, report_id)
    assert list(answer.actions) == ["dispute"]
    ends = from_timestamp(answer.answered_at) + timedelta(days=DISPUTE_DAYS)
    assert from_timestamp(answer.dispute_until) == ends
    disputed = (await kaspi.app("DisputeAnswer", dispute(report_id))).report
    assert (list(disputed.actions), disputed.HasField("dispute_until")) == ([], False)
    assert await get(kaspi, report_id) == disputed


async def test_the_list_tells_of_a_report_what_a_single_read_tells(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    report_id, _ = await register()
    await asked(dispatcher, report_id)
    listed = await _listed(kaspi, report_id)
    assert listed.question == "Which lamp?"
    assert listed == await get(kaspi, report_id)


async def test_an_operator_is_not_told_what_the_reporter_may_do(
    dispatcher: As, register: Register
) -> None:
    report_id, _ = await register()
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    shown = (await dispatcher.at_desk("GetReport", request)).report
    assert not shown.report.actions and not shown.report.HasField("dispute_until")
    assert shown.report.due_at == shown.due_at


async def _all(by: As, **filters: Any) -> list[pb.Report]:
    request = pb.ListReportsRequest(page=common_pb2.Page(size=3), **filters)
    found: list[pb.Report] = []
    while True:
        answer = await by.app("ListReports", request)
        found += answer.reports
        request.page.token = answer.next_page_token
        if not request.page.token:
            return found


async def _listed(by: As, report_id: str) -> pb.Report:
    [found] = [report for report in await _all(by) if report.report_id == report_id]
    return found


async def test_each_filter_narrows_the_list(
    as_: Callable[..., As], dispatcher: As, register: Register
) -> None:
    bank = as_("egov")
    draft_of_bank = draft()
    await bank.app("OpenReport", draft_of_bank)
    routed, _ = await register(draft(category=pb.CATEGORY_OTHER), by=bank)
    waits, _ = await register(by=bank)
    await asked(dispatcher, waits)
    made = [draft_of_bank.report_id, routed, waits]
    opened = [report.opened_at for report in await _all(bank) if report.report_id in made]

    async def ids(**filters: Any) -> list[str]:
        return [each.report_id for each in await _all(bank, **filters) if each.report_id in made]

    assert await ids() == made
    assert await ids(statuses=[OPEN]) == made[:1]
    assert await ids(statuses=[ROUTED, OPEN, ROUTED]) == made[:2]
    assert await ids(categories=[pb.CATEGORY_OTHER]) == [routed]
    assert await ids(needs_reply=True) == [waits]
    assert await ids(needs_reply=True, statuses=[ROUTED]) == []
    assert await ids(opened_from=opened[1]) == made[1:]
    assert await ids(opened_until=opened[1]) == made[:1]
    assert await ids(opened_from=opened[1], opened_until=opened[2]) == [routed]


async def test_wrong_filters_are_refused_by_name_and_all_at_once(kaspi: As) -> None:
    day = to_timestamp(from_timestamp(Timestamp(seconds=1_700_000_000)))
    wild = Timestamp(seconds=10**15)
    single = {
        "STATUS_UNKNOWN": pb.ListReportsRequest(statuses=[99]),  # type: ignore[list-item]
        "CATEGORY_UNKNOWN": pb.ListReportsRequest(categories=[pb.CATEGORY_UNSPECIFIED]),
        "PERIOD_WRONG": pb.ListReportsRequest(opened_from=day, opened_until=day),
    }
    for code, request in single.items():
        assert (await refused(kaspi.app("ListReports", request))).code == code
    every = pb.ListReportsRequest(
        statuses=[pb.REPORT_STATUS_UNSPECIFIED],
        categories=[99],  # type: ignore[list-item]
        opened_from=wild,
        opened_until=wild,
    )
    fields = (await refused(kaspi.app("ListReports", every))).fields
    assert {error.field for error in fields} == {
        *("statuses", "categories", "opened_from", "opened_until"),
    }


async def test_a_page_token_goes_with_its_filters(kaspi: As, halyk: As, register: Register) -> None:
    for _ in range(3):
        await register()
    for other in (
        pb.ListReportsRequest(statuses=[ROUTED]),
        pb.ListReportsRequest(needs_reply=False, categories=[pb.CATEGORY_TRAFFIC_VIOLATION]),
    ):
        page = pb.ListReportsRequest(page=common_pb2.Page(size=1))
        other.page.size = 1
        other.page.token = (await kaspi.app("ListReports", page)).next_page_token
        assert (await refused(kaspi.app("ListReports", other))).code == "PAGE_TOKEN_WRONG"
    await assert_token_is_bound(
        lambda wanted: kaspi.app("ListReports", wanted),
        pb.ListReportsRequest(statuses=[ROUTED]),
        by_others=lambda wanted: halyk.app("ListReports", wanted),
    )


@pytest.mark.parametrize("size", [1, 2])
async def test_a_narrowed_list_is_whole_across_pages(
    as_: Callable[..., As], register: Register, size: int
) -> None:
    bank = as_("halyk")
    made = [(await register(by=bank))[0] for _ in range(4)]
    request = pb.ListReportsRequest(page=common_pb2.Page(size=size), statuses=[ROUTED])
    found: list[str] = []
    while True:
        answer = await bank.app("ListReports", request)
        found += [report.report_id for report in answer.reports]
        request.page.token = answer.next_page_token
        if not request.page.token:
            break
    assert [report_id for report_id in found if report_id in made] == made
