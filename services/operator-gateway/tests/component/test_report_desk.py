"""The report desk in a real browser: an answer goes to the reporter for whom it was written."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock
from tartip.reports.v1 import reports_pb2 as pb

from .browser import DELAY_SECONDS, PROMISE_MS, Console, OpenConsole, expect, needs_chromium
from .conftest import Publisher
from .report_peer import a_report, advance

pytestmark = needs_chromium
NOW = system_clock()
REPORTS = ("report-1", "report-2", "report-3")


@pytest.fixture
def desk_reports(gateway: Any, console: OpenConsole) -> dict[str, pb.DeskReport]:
    """Three, an hour apart, the first one overdue."""
    held: dict[str, pb.DeskReport] = gateway.asked.reports
    for at, report_id in enumerate(REPORTS):
        held[report_id] = a_report(report_id, NOW + timedelta(hours=at - 0.5))
    return held


async def at_desk(console: OpenConsole, *, operator: str = "dispatcher-almaty") -> Console:
    desk = await console(operator, "reports")
    await desk.page.locator(".purpose").click()
    await desk.choose_purpose()
    return desk


async def taken(desk: Console, report_id: str) -> None:
    """The report is open and in this operator's work."""
    await desk.row(report_id).click()
    await desk.is_ready(report_id, "take")
    await desk.press("KeyT")
    await desk.is_ready(report_id, "answer")


async def ids(desk: Console) -> list[str]:
    found: list[str] = await desk.page.locator("[role=option]").evaluate_all(
        "rows => rows.map((row) => row.dataset.id)"
    )
    return found


async def test_taking_a_report_leaves_it_open_however_the_list_changes(
    console: OpenConsole, desk_reports: Any
) -> None:
    """Taking a report moves its deadline, and so its place in the list."""
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("report-1", "take")
    await desk.delay("**/take")
    await desk.press("KeyT")
    await desk.is_ready("report-1", "answer")
    await expect(desk.page.locator(".facts")).to_contain_text("у вас")
    await expect(desk.page.locator("[role=option]").first).to_contain_text("2222222")
    assert await ids(desk) == ["report-2", "report-3", "report-1"]
    await desk.is_open("report-1")
    [asked] = desk.asked.of(pb.TakeReportRequest)
    assert (asked.report_id, asked.version) == ("report-1", 1)


async def test_an_action_that_is_under_way_never_changes_what_was_opened_meanwhile(
    console: OpenConsole, desk_reports: Any
) -> None:
    desk = await at_desk(console)
    await desk.row("report-1").click()
    await desk.is_ready("report-1", "take")
    await desk.delay("**/take")
    await desk.press("KeyT")
    await desk.press("KeyJ")
    await desk.is_ready("report-2", "take")
    await desk.says("Готово: KZ75-2026-1111111")
    await desk.is_open("report-2")
    assert await desk.button("answer").count() == 0
    assert [one.report_id for one in desk.asked.of(pb.TakeReportRequest)] == ["report-1"]


async def test_an_action_while_the_next_report_loads_does_nothing(
    console: OpenConsole, desk_reports: Any
) -> None:
    desk = await at_desk(console)
    await desk.row("report-1").click()
    await desk.is_ready("report-1", "take")
    await desk.delay("**/v1/reports/report-2")
    await desk.press("KeyJ")
    await desk.press("KeyT")
    await desk.says("ещё не загружено")
    await desk.is_open("report-2", "loading")
    await desk.is_ready("report-2", "take")
    assert desk.asked.of(pb.TakeReportRequest) == []


async def test_a_filter_leaves_the_open_report_and_marks_that_it_is_not_in_the_list(
    console: OpenConsole, desk_reports: Any
) -> None:
    desk = await at_desk(console)
    await desk.row("report-3").click()
    await desk.is_ready("report-3", "take")
    await desk.delay("**/v1/reports?*")
    await desk.page.get_by_label("Только просроченные").check()
    await expect(desk.page.locator("[role=option]")).to_have_count(1, timeout=PROMISE_MS)
    assert await ids(desk) == ["report-1"]
    await desk.is_open("report-3")
    await expect(desk.page.locator(".unlisted")).to_contain_text("нет в списке")
    assert await desk.page.locator("[aria-selected=true]").count() == 0
    await desk.press("KeyT")
    await desk.is_ready("report-3", "answer")
    assert [one.report_id for one in desk.asked.of(pb.TakeReportRequest)] == ["report-3"]
    assert desk.opened() == ["report-3"]


async def test_a_list_that_is_asked_for_again_is_that_of_the_last_choice(
    console: OpenConsole, desk_reports: Any
) -> None:
    desk = await at_desk(console)
    await desk.delay("**/v1/reports?*overdue_only=true*")
    overdue = desk.page.get_by_label("Только просроченные")
    await overdue.check()
    await overdue.uncheck()
    await expect(desk.page.locator("[role=option]")).to_have_count(3)
    await asyncio.sleep(DELAY_SECONDS + 0.5)  # nothing is to happen: there is no event to wait for
    assert await ids(desk) == list(REPORTS)


async def test_a_refused_answer_keeps_what_was_typed_and_names_the_wrong_field(
    console: OpenConsole, desk_reports: Any
) -> None:
    desk = await at_desk(console)
    await taken(desk, "report-2")
    await desk.delay("**/answer")
    await desk.press("KeyA")
    await desk.page.fill("dialog[open] textarea", "ok")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("dialog[open] .wrong").first).to_have_text("Напишите ответ.")
    text = desk.page.locator("dialog[open] textarea")
    await expect(text).to_have_value("ok")
    await expect(text).to_be_focused()
    await text.fill("The street was swept today.")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("#field-outcome-wrong")).to_have_text("Выберите решение.")
    await expect(text).to_have_value("The street was swept today.")
    await desk.page.select_option("#field-outcome", label="меры приняты")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("dialog[open]")).to_have_count(0)
    await expect(desk.page.locator(".case")).to_contain_text("The street was swept today.")
    await desk.is_open("report-2")


async def test_what_was_typed_survives_the_gateways_silence_and_the_closing_of_the_dialog(
    console: OpenConsole, desk_reports: Any
) -> None:
    desk = await at_desk(console)
    await taken(desk, "report-2")
    await desk.intercept("**/answer", lambda route: route.abort())
    await desk.press("KeyA")
    await desk.page.fill("dialog[open] textarea", "The street was swept.")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("dialog[open] .refusal")).to_contain_text("Шлюз не отвечает")
    await desk.page.keyboard.press("Escape")
    await desk.press("KeyA")
    await expect(desk.page.locator("dialog[open] textarea")).to_have_value("The street was swept.")
    await desk.page.keyboard.press("Escape")
    await desk.row("report-3").click()
    await desk.is_ready("report-3", "take")
    await desk.press("KeyT")
    await desk.is_ready("report-3", "answer")
    await desk.press("KeyA")
    await expect(desk.page.locator("dialog[open] textarea")).to_have_value("")


async def test_a_report_that_changed_while_an_answer_was_written_is_not_answered_unseen(
    console: OpenConsole, desk_reports: Any
) -> None:
    desk = await at_desk(console)
    await taken(desk, "report-2")
    await desk.press("KeyA")
    await desk.page.fill("dialog[open] textarea", "The street was swept.")
    advance(desk_reports["report-2"], "route", "supervisor-almaty")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("dialog[open] .refusal")).to_contain_text("изменилось")
    await expect(desk.page.locator("dialog[open] button.main")).to_be_disabled()
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.locator(".facts")).to_contain_text("supervisor-almaty")
    await desk.is_ready("report-2", "take")
    await desk.press("KeyT")
    await desk.is_ready("report-2", "answer")
    await desk.press("KeyA")
    await expect(desk.page.locator("dialog[open] textarea")).to_have_value("The street was swept.")
    await desk.page.select_option("#field-outcome", "measures_taken")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator(".case")).to_contain_text("The street was swept.")
    assert [one.version for one in desk.asked.of(pb.AnswerReportRequest)] == [4]


async def test_a_report_taken_by_another_says_so_and_closes_by_the_live_feed(
    console: OpenConsole, desk_reports: Any, gateway: Any
) -> None:
    desk = await at_desk(console)
    await desk.row("report-2").click()
    await desk.is_ready("report-2", "take")
    await desk.press("KeyD")
    await desk.page.fill("dialog[open] #field-reason", "not ours")
    advance(desk_reports["report-2"], "take", "supervisor-almaty")
    publish = Publisher(gateway.engines)
    await publish("citizen-reports", "reports.v1.status_changed", "report:report-2", version=2)
    await expect(desk.page.locator("dialog[open] .refusal")).to_contain_text(
        "изменилось", timeout=PROMISE_MS
    )
    await expect(desk.page.locator("dialog[open] #field-reason")).to_have_value("not ours")
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.locator(".facts")).to_contain_text("supervisor-almaty")
    assert await desk.button("take").count() == 0
    await expect(desk.row("report-2")).to_contain_text("supervisor-almaty")


async def test_a_change_by_another_while_an_action_is_under_way_is_shown(
    console: OpenConsole, desk_reports: Any, gateway: Any
) -> None:
    """The answer to taking it arrives after the event that it was sent elsewhere."""
    desk = await at_desk(console)
    await desk.row("report-2").click()
    await desk.is_ready("report-2", "take")
    release = await desk.hold("**/take")
    await desk.press("KeyT")
    while not desk.asked.of(pb.TakeReportRequest):
        await asyncio.sleep(0.02)
    changed = pb.DeskReport()
    changed.CopyFrom(desk_reports["report-2"])
    desk_reports["report-2"] = advance(changed, "route", "supervisor-almaty")
    publish = Publisher(gateway.engines)
    await publish("citizen-reports", "reports.v1.status_changed", "report:report-2", version=3)
    await expect(desk.row("report-2")).to_contain_text("supervisor-almaty", timeout=PROMISE_MS)
    release.set()
    await expect(desk.page.locator(".facts")).to_contain_text("supervisor-almaty")
    await desk.is_ready("report-2", "take")


async def test_ones_own_action_is_not_read_again_for_the_fact_that_tells_of_it(
    console: OpenConsole, desk_reports: Any, gateway: Any
) -> None:
    desk = await at_desk(console)
    await taken(desk, "report-2")
    publish = Publisher(gateway.engines)
    await publish("citizen-reports", "reports.v1.status_changed", "report:report-2", version=2)
    advance(desk_reports["report-3"], "take", "supervisor-almaty")
    await publish("citizen-reports", "reports.v1.status_changed", "report:report-3", version=2)
    await expect(desk.row("report-3")).to_contain_text("supervisor-almaty", timeout=PROMISE_MS)
    assert desk.opened() == ["report-2"]


async def test_deadline_unit_and_holder_are_those_of_now(
    console: OpenConsole, desk_reports: Any
) -> None:
    moved = desk_reports["report-1"]
    moved.due_at.seconds += 90 * 24 * 3600  # the receipt still says half an hour ago
    moved.answer_due_at.CopyFrom(moved.due_at)
    moved.overdue = False
    waiting = advance(desk_reports["report-3"], "take", "supervisor-almaty")
    advance(waiting, "ask", "supervisor-almaty")
    desk = await at_desk(console)
    assert await ids(desk) == ["report-2", "report-1", "report-3"]
    await expect(desk.row("report-1")).to_contain_text("осталось 89 дн")
    await expect(desk.row("report-3")).to_contain_text("срок остановлен")
    await expect(desk.row("report-3")).to_contain_text("У кого: supervisor-almaty")
    await expect(desk.row("report-1")).to_contain_text("KZ-75-duty")
    classes = [await desk.row(name).get_attribute("class") for name in REPORTS]
    assert ["due-now" in (one or "") for one in classes] == [False, True, False]
    await desk.row("report-1").click()
    await desk.is_open("report-1")
    due = await desk.page.locator(".facts").inner_text()
    assert "Срок по талону" in due


async def test_an_emergency_shows_both_clocks_and_who_answers_for_it_until_somebody_is_there(
    console: OpenConsole, desk_reports: Any
) -> None:
    report = desk_reports["report-2"]
    report.emergency, report.position = True, "regional_head"
    report.response_due_at.CopyFrom(report.due_at)
    report.answer_due_at.CopyFrom(report.due_at)
    report.answer_due_at.seconds += 20 * 24 * 3600
    step = report.steps.add(actor="system", note="overdue, response, step 2: regional_head")
    step.at.CopyFrom(report.due_at)
    advance(report, "take", "dispatcher-almaty")
    desk = await at_desk(console)
    await desk.row("report-2").click()
    await desk.is_ready("report-2", "record_arrival")
    facts = await desk.page.locator(".facts").inner_text()
    assert "Прибыть до" in facts and "Ответить до" in facts
    await expect(desk.page.locator(".case")).to_contain_text("ступень 2 (прибытие): начальник деп")
    assert await desk.button("answer").count() == 0
    await desk.press("KeyP", layout="latin")
    await desk.is_ready("report-2", "answer")
    facts = await desk.page.locator(".facts").inner_text()
    assert "Прибыть до" not in facts and "Прибыли" in facts
    [asked] = desk.asked.of(pb.RecordArrivalRequest)
    assert (asked.report_id, asked.version) == ("report-2", 2)


async def test_the_board_shows_units_and_officers(console: OpenConsole, desk_reports: Any) -> None:
    desk = await at_desk(console)
    await desk.page.locator("[data-board]").click()
    await expect(desk.page.locator("dialog[open] tbody tr")).to_have_count(2)
    rows = await desk.page.locator("dialog[open] tbody tr").all_inner_texts()
    assert [row.split() for row in rows] == [
        ["KZ-75-duty", "17", "20", "2", "0", "0"],
        ["dispatcher-almaty", "3", "1"],
    ]
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.locator("dialog[open]")).to_have_count(0)


async def test_the_outcomes_offered_are_those_of_the_category(
    console: OpenConsole, desk_reports: Any
) -> None:
    desk = await at_desk(console)
    await taken(desk, "report-2")
    await desk.press("KeyA")
    offered = await desk.page.locator("#field-outcome option").all_inner_texts()
    assert offered[0] == "выберите" and "дано разъяснение" in offered
    assert "вина сотрудника установлена" not in offered


async def test_only_what_the_owner_offers_can_be_done(
    console: OpenConsole, desk_reports: Any
) -> None:
    desk = await at_desk(console)
    await desk.row("report-2").click()
    await desk.is_ready("report-2", "take")
    offered = await desk.page.locator(".case [data-action]").evaluate_all(
        "buttons => buttons.map((button) => button.dataset.action)"
    )
    assert offered == ["take", "route", "raise", "confirm_urgency"]
    await desk.press("KeyA")
    await desk.says("сейчас так поступить нельзя")
    assert await desk.page.locator("dialog[open]").count() == 0


async def test_long_words_and_marks_of_direction_stay_in_their_place(
    console: OpenConsole, desk_reports: Any
) -> None:
    report = desk_reports["report-2"]
    report.text = "x" * 3000 + " \u202egnp.exe" + " \u05d0\u05d1\u05d2"
    report.place.address = "\u2066" + "Z" * 400
    report.reporter.name = "\u202eTest Person"
    desk = await at_desk(console)
    await desk.row("report-2").click()
    await desk.is_open("report-2")
    wide = await desk.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    shown = await desk.page.locator(".case").inner_text()
    assert "⟦U+202E⟧gnp.exe" in shown and "⟦U+202E⟧Test Person" in shown
    assert "\u202e" not in shown


async def test_a_silent_alarm_is_named_in_list_and_card_and_its_silence_explained(
    console: OpenConsole, gateway: Any
) -> None:
    violence, due = pb.CATEGORY_DOMESTIC_VIOLENCE, NOW + timedelta(minutes=7)
    silent = a_report("report-5", due, category=violence, emergency=True, silent_alarm=True)
    silent.text = ""
    gateway.asked.reports |= {"report-5": silent, "report-6": a_report("report-6", due)}
    desk = await at_desk(console)
    await expect(desk.row("report-5")).to_contain_text("тихая тревога")
    await expect(desk.row("report-6")).not_to_contain_text("тихая тревога")
    await desk.row("report-5").click()
    await desk.is_ready("report-5", "take")
    await expect(desk.page.locator(".bar .tag", has_text="тихая тревога")).to_be_visible()
    await expect(desk.page.locator("p.written")).to_contain_text("не может говорить или писать")
