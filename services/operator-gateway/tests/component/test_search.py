"""Reports are found by the words of their texts in a real browser; no address has the words."""

from datetime import timedelta
from typing import Any

from chassis.clock import system_clock
from tartip.reports.v1 import reports_pb2 as pb

from .browser import OpenConsole, expect, needs_chromium
from .report_peer import a_report
from .test_report_desk import at_desk, ids

pytestmark = needs_chromium


async def test_reports_are_found_by_words_that_stand_in_no_address(
    console: OpenConsole, gateway: Any
) -> None:
    due = system_clock() + timedelta(days=9)
    held: dict[str, pb.DeskReport] = gateway.asked.reports
    held["report-1"] = a_report("report-1", due)
    held["report-2"] = a_report("report-2", due)
    held["report-2"].text = "An old wall fell down."
    desk = await at_desk(console)
    addresses = list[str]()
    desk.page.on("request", lambda request: addresses.append(request.url))
    rows, words = desk.page.locator("[role=option]"), desk.page.get_by_label("По словам текста")
    await expect(rows).to_have_count(2)
    await words.fill("wall old")
    await words.press("Enter")
    await expect(rows).to_have_count(1)
    assert await ids(desk) == ["report-2"]
    await expect(desk.page.locator(".order")).to_contain_text("жалобы по тексту не находятся")
    await words.fill("bridge")
    await words.press("Enter")
    await expect(desk.page.locator(".list")).to_contain_text("с такими словами не нашлось")
    await words.fill("")
    await words.press("Enter")
    await expect(rows).to_have_count(2)
    asked = desk.asked.of(pb.SearchReportsRequest)
    assert [one.words for one in asked] == ["wall old", "bridge"]
    assert addresses and not [one for one in addresses if "wall" in one or "bridge" in one]
