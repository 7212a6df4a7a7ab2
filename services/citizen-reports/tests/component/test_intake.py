"""Handing in: once, checked whole, answered at once; nobody sees another partner's."""

import asyncio
import re
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.paging import assert_token_is_bound

from .conftest import As, Register, complaint, draft, refused


async def test_a_report_is_registered_with_number_unit_and_deadline(
    kaspi: As, register: Register
) -> None:
    report_id, receipt = await register()
    assert re.fullmatch(r"KZ75-\d{4}-\d{7}", receipt.number)
    assert receipt.unit in ("KZ-75-traffic", "KZ-75-duty")
    assert receipt.deadline_rule.startswith("appc.76.answer@")
    assert receipt.due_at.seconds > receipt.registered_at.seconds
    assert re.fullmatch(r"[0-9a-f]{64}", receipt.content_sha256)
    report = (await kaspi.app("GetReport", pb.GetReportRequest(number=receipt.number))).report
    assert (report.report_id, report.status) == (report_id, pb.REPORT_STATUS_ROUTED)
    assert report.receipt == receipt


async def test_opening_again_with_the_same_content_answers_the_same(kaspi: As) -> None:
    given = draft()
    first = await kaspi.app("OpenReport", given)
    assert (await kaspi.app("OpenReport", given)) == first
    assert first.report.status == pb.REPORT_STATUS_OPEN


async def test_the_same_id_with_other_content_is_refused_by_name(kaspi: As) -> None:
    given = draft()
    await kaspi.app("OpenReport", given)
    given.text = "something else"
    assert (await refused(kaspi.app("OpenReport", given))).code == "ID_REUSED"


async def test_parallel_opens_and_submits_make_one_report_with_one_number(
    kaspi: As, db: Database
) -> None:
    given = draft()
    opened = await asyncio.gather(*(kaspi.app("OpenReport", given) for _ in range(8)))
    assert len({answer.SerializeToString() for answer in opened}) == 1
    request = pb.SubmitReportRequest(report_id=given.report_id)
    receipts = await asyncio.gather(*(kaspi.app("SubmitReport", request) for _ in range(8)))
    assert len({answer.receipt.SerializeToString() for answer in receipts}) == 1
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT count(*) FROM outbox WHERE aggregate = :a AND subject = :s")
        known = query.bindparams(a=f"report:{given.report_id}", s="reports.v1.received")
        assert await tx.scalar(known) == 1


async def test_every_wrong_field_is_named_at_once(kaspi: As) -> None:
    refusal = await refused(
        kaspi.app(
            "OpenReport",
            pb.OpenReportRequest(
                report_id="1",
                category=99,  # type: ignore[arg-type]
                language="de",
                officer="somebody",
                reporter=pb.Reporter(iin="900101300018"),
            ),
        )
    )
    assert refusal.code == "BAD_REQUEST"
    assert {(error.field, error.code) for error in refusal.fields} == {
        ("report_id", "REPORT_ID_WRONG"),
        ("category", "CATEGORY_UNKNOWN"),
        ("place", "PLACE_REQUIRED"),
        ("occurred_at", "OCCURRED_AT_REQUIRED"),
        ("language", "LANGUAGE_UNKNOWN"),
        ("reporter.iin", "IIN_INVALID"),
    }


async def test_one_wrong_field_gives_the_refusal_its_name(kaspi: As) -> None:
    unknown = draft(category=pb.CATEGORY_UNSPECIFIED)
    assert (await refused(kaspi.app("OpenReport", unknown))).code == "CATEGORY_UNKNOWN"
    nowhere = draft(place=common_pb2.Place(region="KZ-75"))
    assert (await refused(kaspi.app("OpenReport", nowhere))).code == "PLACE_REQUIRED"
    unnamed = complaint(officer="")
    assert (await refused(kaspi.app("OpenReport", unnamed))).code == "OFFICER_REQUIRED"


async def test_hostile_values_are_refused_and_not_broken_on(kaspi: As) -> None:
    wild = draft()
    wild.occurred_at.seconds = 10**15
    assert (await refused(kaspi.app("OpenReport", wild))).code == "OCCURRED_AT_REQUIRED"
    nan = draft(place=common_pb2.Place(latitude=float("nan"), longitude=1e300, region="KZ-75"))
    assert (await refused(kaspi.app("OpenReport", nan))).code == "PLACE_OUTSIDE"
    nul = draft(
        text="a\x00b", place=common_pb2.Place(latitude=43.24, longitude=76.9, region="KZ-75")
    )
    assert (await kaspi.app("OpenReport", nul)).report.version == 1


async def test_another_partners_report_and_a_missing_one_answer_the_same(
    halyk: As, register: Register
) -> None:
    report_id, receipt = await register()
    foreign = [
        ("GetReport", pb.GetReportRequest(report_id=report_id)),
        ("GetReport", pb.GetReportRequest(number=receipt.number)),
        ("SubmitReport", pb.SubmitReportRequest(report_id=report_id)),
        ("ReplyToQuestion", pb.ReplyToQuestionRequest(report_id=report_id, text="x")),
        ("DisputeAnswer", pb.DisputeAnswerRequest(report_id=report_id, text="x")),
    ]
    missing = pb.GetReportRequest(report_id=str(new_id()))
    expected = await refused(halyk.app("GetReport", missing))
    assert expected.code == "REPORT_NOT_FOUND"
    for method, request in foreign:
        told = await refused(halyk.app(method, request))
        assert (told.code, told.kind, told.facts) == (expected.code, expected.kind, {}), method
    listed = await _all(halyk)
    assert report_id not in {report.report_id for report in listed}


async def test_a_partners_list_is_in_order_and_whole_across_pages(
    kaspi: As, register: Register
) -> None:
    made = [(await register())[0] for _ in range(5)]
    listed = [report.report_id for report in await _all(kaspi, size=2)]
    assert [report_id for report_id in listed if report_id in made] == made
    assert len(listed) == len(set(listed))


async def test_an_anonymous_report_without_iin_is_taken(register: Register) -> None:
    _, receipt = await register(draft(reporter=pb.Reporter()))
    assert receipt.number


async def test_nothing_personal_lies_open_in_the_database(register: Register, db: Database) -> None:
    await register(
        draft(
            text="MARKER-text",
            reporter=pb.Reporter(iin="900101300017", name="MARKER-name"),
            place=common_pb2.Place(
                latitude=43.2389123, longitude=76.9455, address="MARKER-address"
            ),
        )
    )
    await register(complaint(officer="MARKER-officer"))
    async with db.begin(SYSTEM) as tx:
        tables = (
            "reports",
            "reporters",
            "contents",
            "steps",
            "changes",
            "outbox",
            "audit",
            "work",
            "requests",
        )
        for table in tables:
            # Neither number can be the seconds of a time, which 43.2389 was once in thousands.
            for needle in ("MARKER", "900101300017", "43.2389123", "76.9455"):
                hits: Any = await tx.scalar(
                    text(
                        f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%{needle}%'"
                        f" OR t::text LIKE '%{needle.encode().hex()}%'"
                    )
                )
                assert hits == 0, (table, needle)


async def test_an_operator_or_a_service_cannot_hand_in(dispatcher: As) -> None:
    assert (await refused(dispatcher.app("OpenReport", draft()))).code == "NOT_ALLOWED"


async def _all(caller: As, size: int = 100) -> list[pb.Report]:
    found: list[pb.Report] = []
    token = ""
    while True:
        page = common_pb2.Page(size=size, token=token)
        answer = await caller.app("ListReports", pb.ListReportsRequest(page=page))
        found += answer.reports
        token = answer.next_page_token
        if not token:
            return found


TOWNS = {
    "Korday": (43.0378, 74.7106, "KZ-31"),
    "Saryagash": (41.4550, 69.1650, "KZ-61"),
    "Lenger": (42.1793, 69.8837, "KZ-61"),
    "Karazhal": (48.0106, 70.7925, "KZ-62"),
    "Kosshy": (50.9800, 71.3200, "KZ-11"),
    "Zhanatas": (43.5556, 69.7389, "KZ-31"),
}
ABROAD = {
    "Tashkent": (41.2995, 69.2401),
    "Bishkek": (42.8746, 74.5698),
    "Omsk": (54.9885, 73.3242),
    "the open Caspian": (44.5, 50.0),
}


def at(latitude: float, longitude: float, **changes: str) -> common_pb2.Place:
    return common_pb2.Place(latitude=latitude, longitude=longitude, **changes)


@pytest.mark.parametrize("town", TOWNS)
async def test_a_report_goes_to_the_region_that_it_happened_in(
    kaspi: As, register: Register, town: str
) -> None:
    latitude, longitude, region = TOWNS[town]
    report_id, receipt = await register(draft(place=at(latitude, longitude)))
    assert receipt.number.startswith(region.replace("-", "")) and receipt.unit.startswith(region)
    report = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert (report.region, report.place_abroad) == (region, False)


async def test_another_region_than_the_places_is_put_right_and_told(kaspi: As) -> None:
    wrong = draft(place=at(42.1793, 69.8837, region="KZ-79", kato="613220100"))
    first = await kaspi.app("OpenReport", wrong)
    assert (first.report.region, first.region_corrected) == ("KZ-61", True)
    assert await kaspi.app("OpenReport", wrong) == first
    for right in ("KZ-61", ""):
        given = draft(place=at(42.1793, 69.8837, region=right))
        assert not (await kaspi.app("OpenReport", given)).region_corrected


@pytest.mark.parametrize("place", ABROAD)
async def test_from_abroad_only_danger_crimes_and_threats_are_taken(
    kaspi: As, register: Register, dispatcher: As, place: str
) -> None:
    """An incident that the phone puts abroad: a person of the region that was named sees it."""
    where = at(*ABROAD[place], region="KZ-75")
    assert (await refused(kaspi.app("OpenReport", draft(place=where)))).code == "PLACE_ABROAD"
    incident = draft(place=where, category=pb.CATEGORY_INCIDENT)
    report_id, receipt = await register(incident)
    assert receipt.unit == "KZ-75-manual"
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    seen = (await dispatcher.at_desk("GetReport", request)).report
    assert seen.report.place_abroad and seen.unit == "KZ-75-manual"
    assert (seen.place.latitude, seen.place.region) == (where.latitude, "KZ-75")
    listed = await dispatcher.at_desk(
        "ListReports",
        pb.ReportDeskListReportsRequest(
            category=pb.CATEGORY_INCIDENT, page=common_pb2.Page(size=200)
        ),
    )
    marked = {row.report.report_id for row in listed.reports if row.report.place_abroad}
    assert report_id in marked


async def test_a_district_of_another_region_is_refused_by_name(kaspi: As) -> None:
    given = draft(place=at(43.2389, 76.9455, kato="711110000"))
    assert (await refused(kaspi.app("OpenReport", given))).code == "KATO_MISMATCH"
    given = draft(place=at(43.2389, 76.9455, kato="75"))
    assert (await refused(kaspi.app("OpenReport", given))).code == "KATO_WRONG"


async def test_the_desk_sees_the_district_that_the_app_gave(
    register: Register, dispatcher: As
) -> None:
    report_id, _ = await register(draft(place=at(43.2389, 76.9455, kato="751110000")))
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    assert (await dispatcher.at_desk("GetReport", request)).report.place.kato == "751110000"


async def test_a_page_token_is_its_partners(kaspi: As, halyk: As, register: Register) -> None:
    for _ in range(3):
        await register()
    await assert_token_is_bound(
        lambda asked: kaspi.app("ListReports", asked),
        pb.ListReportsRequest(),
        by_others=lambda asked: halyk.app("ListReports", asked),
    )
