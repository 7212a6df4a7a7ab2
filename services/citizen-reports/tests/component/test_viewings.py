"""A reporter is told who looked at his report, and nothing that he must not learn by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chassis.clock import new_id
from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Register, complaint, draft, refused, until
from .test_raised_reports import raising
from .test_secrecy import with_media
from .test_uploads import blurred_media


async def viewings(app: As, report_id: str, **page: Any) -> list[pb.Viewing]:
    request = pb.ListViewingsRequest(report_id=report_id)
    request.page.MergeFrom(type(request.page)(**page))
    answer = await app.app("ListViewings", request)
    return list(answer.viewings)


def get(report_id: str) -> pb.ReportDeskGetReportRequest:
    return pb.ReportDeskGetReportRequest(report_id=report_id)


async def test_each_time_that_a_report_is_shown_is_told_with_what_was_seen(
    kaspi: As, as_: Callable[..., As]
) -> None:
    dispatcher = as_(operator="dispatcher-almaty", purpose="Рассмотрение обращения")
    report_id, item, _ = await with_media(kaspi, dispatcher, draft())
    await until(lambda: blurred_media(dispatcher, report_id))
    before = len(await viewings(kaspi, report_id))  # until the picture was stored
    unit = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report.unit
    await as_(operator="inspector-almaty").at_desk("GetReport", get(report_id))
    await dispatcher.open_media(report_id, item.media_id)
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    await dispatcher.open_media(report_id, item.media_id)
    found = (await viewings(kaspi, report_id))[before:]
    assert [(one.capacity, one.purpose, list(one.seen)) for one in found] == [
        ("officer", "other", ["text", "place"]),
        ("officer", "handling", ["blurred"]),
        ("officer", "handling", ["text", "reporter", "place"]),
        ("officer", "handling", ["text", "reporter", "place"]),
        ("officer", "handling", ["media"]),
    ]
    assert {one.unit for one in found} == {unit}
    moments = [one.viewed_at.ToNanoseconds() for one in found]
    assert moments == sorted(moments) and all(moments)
    assert "dispatcher" not in str(found) and "inspector" not in str(found)


async def test_asking_who_looked_changes_nothing_and_comes_in_pages(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    report_id, _ = await register()
    assert await viewings(kaspi, report_id) == []
    for _ in range(3):
        await dispatcher.at_desk("GetReport", get(report_id))
    every = await viewings(kaspi, report_id)
    assert len(every) == 3 and await viewings(kaspi, report_id) == every
    request, paged = pb.ListViewingsRequest(report_id=report_id), list[pb.Viewing]()
    request.page.size = 2
    for size in (2, 1):
        answer = await kaspi.app("ListViewings", request)
        assert len(answer.viewings) == size
        paged += answer.viewings
        request.page.token = answer.next_page_token
    assert paged == every and not answer.next_page_token


async def test_a_partner_asks_about_its_own_reports_alone(
    kaspi: As, halyk: As, dispatcher: As, register: Register
) -> None:
    report_id, _ = await register()
    await dispatcher.at_desk("GetReport", get(report_id))
    for unknown in (report_id, str(new_id()), "nonsense"):
        assert (await refused(viewings(halyk, unknown))).code == "REPORT_NOT_FOUND"
    assert len(await viewings(kaspi, report_id)) == 1


async def test_who_looked_does_not_tell_that_a_report_was_raised(
    kaspi: As, dispatcher: As, security: As, register: Register
) -> None:
    given = [draft(category=pb.CATEGORY_OTHER, text=f"an officer took money {n}") for n in "12"]
    (plain, _), (raised, receipt) = [await register(one) for one in given]
    request = raising(raised, pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
    await dispatcher.at_desk("RaiseReport", request)
    await security.at_desk("GetReport", get(raised))
    await dispatcher.at_desk("GetReport", get(plain))
    [of_raised], [of_plain] = [await viewings(kaspi, one) for one in (raised, plain)]
    assert of_raised.unit == receipt.unit
    for one in (of_raised, of_plain):
        one.ClearField("viewed_at")
    assert of_raised == of_plain


async def test_entries_of_before_are_told_as_readings_of_the_text(
    kaspi: As, dispatcher: As, register: Register, db: Database
) -> None:
    report_id, receipt = await register(complaint())
    async with db.begin(SYSTEM) as tx:
        tx.audit("read", f"report:{receipt.number}", confidential=True)
        tx.audit("read", f"report:{receipt.number}0", confidential=True)
        tx.audit("take", f"report:{receipt.number}", confidential=True)
        # A purpose that looks like an entry is none.
        tx.audit("read", "report:other", facts={"x": f'"object":"report:{receipt.number}"'})
    [one] = await viewings(kaspi, report_id)
    assert (one.capacity, one.unit, list(one.seen)) == ("service", receipt.unit, ["text"])


async def test_viewings_of_a_report_are_found_by_the_index(db: Database, kaspi: As) -> None:
    from citizen_reports.storage.viewings import IS_VIEWING, VIEWED

    async with db.begin(SYSTEM) as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await tx.execute(
            text(
                f"EXPLAIN SELECT position FROM audit WHERE ({IS_VIEWING})"
                f" AND {VIEWED} = 'KZ75-2026-1234567' ORDER BY position"
            )
        )
        assert "audit_viewings" in "\n".join(plan.scalars())
