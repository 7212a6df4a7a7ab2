"""From a citizen's app to the answer that it shows, for those who may see it and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chassis.refusals import Refusal
from tartip.reports.v1 import reports_pb2 as reports
from tartip_cli.clients.journeys import FrameToTenge, ReportToAnswer, Watcher, wait_for
from tartip_cli.clients.partner import Outside

pytestmark = pytest.mark.mesh


async def test_a_report_is_received_routed_answered_and_heard_of(
    new_report: Any, outside: Outside
) -> None:
    journey = new_report()
    watcher = Watcher(outside)
    async with running(watcher):
        receipt = await hand_in(journey)
        assert receipt.number.startswith("KZ75-")
        assert receipt.due_at.seconds > receipt.registered_at.seconds
        assert await journey.submit() == receipt
        found = await wait_for("the report", journey.find_on_desk)
        assert found.body["reporter"]["iin"] == journey.request.reporter.iin
        taken = await journey.act("take")
        assert taken.body["operator"] == "dispatcher-almaty"
        await journey.act("answer", answer="Меры приняты.", outcome="measures_taken")
        await wait_for(
            "the answer", lambda: watcher.saw(journey.report_id, reports.REPORT_STATUS_ANSWERED)
        )
    told = await journey.report()
    assert (told.answer, told.status) == ("Меры приняты.", reports.REPORT_STATUS_ANSWERED)
    statuses = [c.status for c in watcher.seen if c.report_id == journey.report_id]
    assert statuses == sorted(set(statuses)), "each step once, in order"


async def test_an_upload_goes_on_where_it_broke_off(new_report: Any) -> None:
    journey = new_report()
    await journey.open()
    first = await journey.put_piece(0)
    assert (await journey.put_piece(0)).received_bytes == first.received_bytes
    with pytest.raises(Refusal, match="MEDIA_GAP"):
        await journey.put_piece(first.received_bytes + 1)
    with pytest.raises(Refusal, match="MEDIA_INCOMPLETE"):
        await journey.submit()
    await journey.upload()
    assert (await journey.submit()).number


async def test_traffic_evidence_becomes_a_candidate_that_an_officer_decides(
    new_report: Any, outside: Outside, personal: set[str]
) -> None:
    journey = new_report()
    await hand_in(journey)
    await wait_for("the report", journey.find_on_desk)
    await journey.act("take")
    personal.add("777TTP02")
    await journey.act("accept-traffic-evidence", plate="777TTP02", offence_code="RED_LIGHT")
    candidate = await wait_for("the candidate", lambda: of_report(outside, journey.report_id))
    assert candidate["source"] == "citizen" and candidate["hold_reason"]
    desk = FrameToTenge(outside, "", b"", signed=None)  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="NOT_AUTOMATIC"):
        await desk.decide(candidate["violation_id"])
    await desk.decide(candidate["violation_id"], "reject", "a protocol was drawn up instead")
    await wait_for("the outcome", lambda: outcome_of(journey))


async def test_a_complaint_about_an_officer_is_seen_by_internal_security_alone(
    new_report: Any, outside: Outside
) -> None:
    journey = new_report(category=reports.CATEGORY_COMPLAINT_ABOUT_OFFICER)
    journey.request.officer = "badge 000000, sample unit"
    await hand_in(journey)
    path = f"/v1/reports/{journey.report_id}"
    for operator in ("dispatcher-almaty", "supervisor-almaty", "inspector-almaty"):
        with pytest.raises(Refusal, match=r"REPORT_NOT_FOUND|NOT_ALLOWED"):
            await outside.as_operator(operator).get(path, purpose="curiosity")
    seen = await outside.as_operator("security-1").get(path, purpose="complaint")
    assert seen.body["report"]["report"]["category"] == "complaint_about_officer"


async def hand_in(journey: ReportToAnswer) -> reports.Receipt:
    await journey.open()
    await journey.upload()
    return await journey.submit()


async def of_report(outside: Outside, report_id: str) -> dict[str, Any] | None:
    page = await outside.as_operator("inspector-almaty").get(
        "/v1/violations", state="review", page_size=200
    )
    return next((v for v in page.body["violations"] if v["report_id"] == report_id), None)


async def outcome_of(journey: ReportToAnswer) -> str | None:
    return (await journey.report()).outcome or None


@contextlib.asynccontextmanager
async def running(watcher: Watcher) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run())
        try:
            yield
        finally:
            task.cancel()
