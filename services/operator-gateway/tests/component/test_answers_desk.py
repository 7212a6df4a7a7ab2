"""Answers from templates at the report desk, in a real browser: previewed, given, undone."""

import os
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock
from tartip.reports.v1 import answers_pb2
from tartip.reports.v1 import reports_pb2 as pb

from .browser import PROMISE_MS, Console, OpenConsole, expect, needs_chromium
from .report_peer import a_report
from .test_report_desk import at_desk, taken

pytestmark = needs_chromium
IDS = ("report-1", "report-2", "report-3")
# Pixels.
BOX_MAX = 40


@pytest.fixture
def reports(gateway: Any, console: OpenConsole) -> dict[str, pb.DeskReport]:
    held: dict[str, pb.DeskReport] = gateway.asked.reports
    for at, report_id in enumerate(IDS, 1):
        held[report_id] = a_report(report_id, system_clock() + timedelta(days=at))
    return held


async def pictured(desk: Console, name: str) -> None:
    """Keep a picture of the page where TARTIP_PICTURES names a folder for it."""
    folder = os.environ.get("TARTIP_PICTURES")
    if folder:
        await desk.page.screenshot(path=f"{folder}/{name}.png")


async def test_an_answer_is_previewed_waits_and_is_undone_by_the_bar(
    console: OpenConsole, reports: Any
) -> None:
    desk = await at_desk(console)
    await taken(desk, "report-1")
    await desk.button("answer_from_template").click()
    await desk.page.select_option("#field-template", "measures")
    await expect(desk.page.locator("[data-preview]")).to_contain_text("хабарламаңыз қаралды")
    await pictured(desk, "preview")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("[data-waiting-answer]")).to_contain_text("қаралды")
    bar = desk.page.locator("[data-undo-bar]")
    await expect(bar).to_contain_text("Ожидают отправки: 1")
    await expect(bar).to_contain_text("осталось 4:")
    await expect(desk.row("report-1").locator("[data-waiting]")).to_have_count(1)
    await expect(desk.button("answer_from_template")).to_have_count(0)
    await expect(desk.page.locator(".case")).not_to_contain_text("null")
    await pictured(desk, "waiting")
    await bar.locator("button").click()
    await desk.says("Отменено ответов: 1 / 1")
    await expect(bar.locator("button")).to_have_count(0)
    await desk.is_ready("report-1", "answer_from_template")
    [given] = desk.asked.of(answers_pb2.AnswerFromTemplateRequest)
    [undone] = desk.asked.of(answers_pb2.UndoAnswersRequest)
    assert (given.template, given.template_version, given.version) == ("measures", 3, 2)
    assert undone.request_id == given.request_id


async def test_several_are_answered_at_once_and_what_was_refused_is_named(
    console: OpenConsole, reports: Any
) -> None:
    desk = await at_desk(console)
    for report_id in IDS:
        await taken(desk, report_id)
    await expect(desk.row("report-3")).to_contain_text("у вас")
    await desk.page.locator("[data-many]").click()
    boxes = desk.page.locator("#field-reports input")
    await expect(boxes).to_have_count(3)
    box = await boxes.first.bounding_box()
    assert box and box["width"] < BOX_MAX, "its words stand beside it, and not below"
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator(".refusal")).to_contain_text("Выберите шаблон и обращения")
    await desk.page.select_option("#field-template", "measures")
    for number in range(3):
        await boxes.nth(number).check()
    await pictured(desk, "many")
    reports["report-2"].report.version += 1
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("[data-refused] li")).to_have_count(1, timeout=PROMISE_MS)
    await expect(desk.page.locator("[data-refused]")).to_contain_text("2222222")
    await pictured(desk, "refused")
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.locator("[data-undo-bar]")).to_contain_text("Ожидают отправки: 2")
    await expect(desk.page.locator("[role=option] [data-waiting]")).to_have_count(2)
    [asked] = desk.asked.of(answers_pb2.AnswerManyFromTemplateRequest)
    assert {one.report_id for one in asked.reports} == set(IDS)


async def test_without_templates_the_desk_says_so(console: OpenConsole, reports: Any) -> None:
    desk = await at_desk(console)
    await taken(desk, "report-1")
    desk.asked.has_templates = False
    await desk.button("answer_from_template").click()
    await desk.says("нет шаблонов")
    await expect(desk.page.locator("#ask[open]")).to_have_count(0)
