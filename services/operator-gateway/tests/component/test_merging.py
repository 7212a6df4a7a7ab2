"""Reports of the same incident are merged, and unmerged, in a real browser by keyboard."""

from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock
from tartip.reports.v1 import reports_pb2 as pb

from .browser import OpenConsole, expect, needs_chromium
from .report_peer import a_report
from .test_report_desk import at_desk

pytestmark = needs_chromium


@pytest.fixture
def two_reports(gateway: Any, console: OpenConsole) -> dict[str, pb.DeskReport]:
    """The second may be of the same incident as the first."""
    held: dict[str, pb.DeskReport] = gateway.asked.reports
    due = system_clock() + timedelta(days=9)
    held["report-1"] = a_report("report-1", due)
    held["report-2"] = a_report("report-2", due)
    first = held["report-1"].report.receipt.number
    held["report-2"].related.add(report_id="report-1", number=first, relation="possible")
    return held


async def test_a_possible_duplicate_is_merged_and_unmerged(
    console: OpenConsole, two_reports: dict[str, pb.DeskReport]
) -> None:
    desk = await at_desk(console)
    await desk.row("report-2").first.click()
    await desk.is_ready("report-2", "merge")
    await expect(desk.page.locator("[data-related]")).to_contain_text("возможно, о том же")
    await desk.press("KeyG")
    await desk.page.locator("#field-parent_id").select_option("report-1")
    await desk.page.keyboard.press("Control+Enter")
    await desk.is_ready("report-2", "unmerge")
    await expect(desk.page.locator("[data-related]")).to_contain_text("основное")
    await expect(desk.page.locator("[role=option][data-id=report-2]")).to_have_count(0)
    [asked] = desk.asked.of(pb.MergeReportRequest)
    assert (asked.report_id, asked.parent_id, asked.version) == ("report-2", "report-1", 1)
    await desk.press("KeyI")
    await desk.page.locator("#field-reason").fill("another crossing")
    await desk.page.keyboard.press("Control+Enter")
    await desk.is_ready("report-2", "take")
    [undone] = desk.asked.of(pb.UnmergeReportRequest)
    assert (undone.reason, undone.version) == ("another crossing", 2)


async def test_without_a_possible_duplicate_nothing_is_offered_and_a_refusal_is_shown(
    console: OpenConsole, two_reports: dict[str, pb.DeskReport]
) -> None:
    desk = await at_desk(console)
    await desk.row("report-1").first.click()
    await desk.is_ready("report-1", "take")
    await expect(desk.page.locator("[data-action=merge]")).to_have_count(0)
    await expect(desk.page.locator("[data-related]")).to_have_count(0)
    two_reports["report-1"].report.status = pb.REPORT_STATUS_WAITS_FOR_REPORTER
    await desk.row("report-2").first.click()
    await desk.is_ready("report-2", "merge")
    await desk.press("KeyG")
    await desk.page.locator("#field-parent_id").select_option("report-1")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("body")).to_contain_text("Их нельзя объединить.")
