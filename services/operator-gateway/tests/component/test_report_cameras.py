"""Cameras that may have seen what is reported, and plates that a model read in its photographs, in
a real browser."""

from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock, to_timestamp
from tartip.reports.v1 import reports_pb2 as pb

from .browser import OpenConsole, expect, needs_chromium
from .peers import NOON
from .report_peer import a_report
from .test_report_desk import at_desk

pytestmark = needs_chromium


@pytest.fixture
def seen_report(gateway: Any, console: OpenConsole) -> pb.DeskReport:
    """One that a camera saw, whose evidence is held, and that another may have seen."""
    until = NOON + timedelta(minutes=20)
    held = pb.ReportCamera(
        camera_id="camera-1",
        name="Abai 44, <b>north</b>",
        distance_metres=12.4,
        is_certain=True,
        held_at=to_timestamp(until),
        held_from=to_timestamp(NOON - timedelta(minutes=20)),
        held_until=to_timestamp(until),
        frames=3,
    )
    waits = pb.ReportCamera(camera_id="camera-2", name="Abai 46", distance_metres=90)
    report = a_report("report-1", system_clock() + timedelta(hours=1), cameras=[held, waits])
    report.proposed_plates.add(media_id="media-1", text="463DXA02", confidence=0.929)
    gateway.asked.reports["report-1"] = report
    return report


async def test_the_page_of_a_report_names_its_cameras_and_what_is_held(
    console: OpenConsole, seen_report: pb.DeskReport
) -> None:
    desk = await at_desk(console)
    await desk.row("report-1").first.click()
    await desk.is_ready("report-1", "take")
    first, second = [desk.page.locator("[data-cameras] li").nth(number) for number in range(2)]
    await expect(first).to_contain_text("Abai 44, <b>north</b> · 12 м · смотрела туда")
    await expect(first).to_contain_text(": 3")
    await expect(desk.page.locator("[data-plates]")).to_have_text("463DXA02 (92 %)")
    await expect(second).to_contain_text("могла видеть · запрос на сохранение ещё не отправлен")
