"""Reports whose words propose that they are urgent, judged in a real browser by keyboard."""

from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock
from tartip.reports.v1 import reports_pb2 as pb

from .browser import OpenConsole, expect, needs_chromium
from .report_peer import a_report
from .test_report_desk import at_desk

pytestmark = needs_chromium
WORDS = [
    pb.UrgencyReason(danger="weapon", words="нож"),
    pb.UrgencyReason(danger="killing", words="угрожает убить"),
]


@pytest.fixture
def urgent_report(gateway: Any, console: OpenConsole) -> pb.DeskReport:
    """One that its words propose as urgent, beside one that is due earlier."""
    held: dict[str, pb.DeskReport] = gateway.asked.reports
    now = system_clock()
    held["report-1"] = a_report("report-1", now + timedelta(hours=1))
    held["report-2"] = a_report(
        "report-2",
        now + timedelta(days=9),
        urgency="proposed",
        emergency=True,
        urgency_reasons=WORDS,
        text="У соседа нож, он угрожает убить меня.",
    )
    return held["report-2"]


async def test_reasons_stand_in_the_queue_and_a_key_confirms(
    console: OpenConsole, urgent_report: pb.DeskReport
) -> None:
    desk = await at_desk(console)
    row = desk.page.locator("[role=option]").first
    await expect(row).to_have_attribute("data-id", "report-2")
    await expect(row).to_contain_text("срочно по словам")
    await expect(row).to_contain_text("оружие: нож")
    await row.click()
    await desk.is_ready("report-2", "confirm_urgency")
    await expect(desk.page.locator("[data-judging]")).to_contain_text("угрожает убить")
    await desk.press("KeyU")
    await desk.is_ready("report-2", "record_arrival")
    await expect(desk.page.locator(".case [data-urgency]")).to_have_text("срочно")
    [asked] = desk.asked.of(pb.ConfirmUrgencyRequest)
    assert (asked.report_id, asked.version) == ("report-2", 1)


async def test_who_declines_says_why(console: OpenConsole, urgent_report: pb.DeskReport) -> None:
    desk = await at_desk(console)
    await desk.row("report-2").first.click()
    await desk.is_ready("report-2", "decline_urgency")
    await desk.press("KeyN")
    await desk.page.locator("#field-reason").fill("he tells of a play")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("[data-judging]")).to_contain_text("признано не срочным")
    await expect(desk.page.locator("[data-action=decline_urgency]")).to_have_count(0)
    [asked] = desk.asked.of(pb.DeclineUrgencyRequest)
    assert (asked.version, asked.reason) == (1, "he tells of a play")
