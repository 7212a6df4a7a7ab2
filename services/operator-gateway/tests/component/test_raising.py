"""A report that turns out to be more secret, raised in a real browser."""

from typing import Any

from tartip.reports.v1 import reports_pb2 as pb

from .browser import OpenConsole, expect, needs_chromium
from .test_report_desk import at_desk, desk_reports  # noqa: F401 (a fixture)

pytestmark = needs_chromium


async def test_a_report_that_turns_out_to_be_a_complaint_leaves_the_screen(
    console: OpenConsole,
    desk_reports: Any,  # noqa: F811 (the fixture)
) -> None:
    desk = await at_desk(console)
    await desk.row("report-2").click()
    await desk.is_ready("report-2", "raise")
    await desk.press("KeyR")
    offered = await desk.page.locator("#field-category option").evaluate_all(
        "options => options.map((option) => option.value)"
    )
    assert offered == ["", "domestic_violence", "incident_with_child", "complaint_about_officer"]
    await desk.page.locator("#field-category").select_option("complaint_about_officer")
    await desk.page.locator("#field-reason").fill("it names an officer")
    await desk.page.keyboard.press("Control+Enter")
    await desk.says("больше не показывается")
    await expect(desk.row("report-2")).to_have_count(0)
    [asked] = desk.asked.of(pb.RaiseReportRequest)
    assert (asked.version, asked.reason) == (1, "it names an officer")


async def test_a_child_is_recognised_and_the_report_stays_where_it_may_be_seen(
    console: OpenConsole,
    desk_reports: Any,  # noqa: F811 (the fixture)
) -> None:
    desk = await at_desk(console)
    await desk.row("report-3").click()
    await desk.is_ready("report-3", "raise")
    await desk.press("KeyR")
    await desk.page.locator("#field-category").select_option("incident_with_child")
    await desk.page.locator("#field-reason").fill("a child is with them")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator(".case h2")).to_have_text("Происшествие с ребёнком")
