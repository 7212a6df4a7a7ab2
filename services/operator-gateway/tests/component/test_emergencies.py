"""Emergencies show without reloading: in the list, in the title and, where allowed, by a sound."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock
from tartip.reports.v1 import reports_pb2 as pb

from .browser import (
    DELAY_SECONDS,
    HEARS_TONES,
    PROMISE_MS,
    Console,
    OpenConsole,
    expect,
    needs_chromium,
)
from .conftest import Publisher
from .report_peer import a_report

pytestmark = needs_chromium
ACCIDENT, VIOLENCE, CHILD = (
    pb.CATEGORY_ROAD_ACCIDENT,
    pb.CATEGORY_DOMESTIC_VIOLENCE,
    pb.CATEGORY_INCIDENT_WITH_CHILD,
)


SAYS_WHEN_SHOWN = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("nav [aria-current=page]")) return;
  observer.disconnect();
  console.info("shown");
}).observe(document, { childList: true, subtree: true, attributes: true });
"""


LOOKS = "**/v1/reports?emergencies_only=true*"
IS_CONNECTED = 'import("/console/feed.js").then(({ feed }) => feed.connected)'
HAS_LOOKED = (
    'import("/console/emergencies.js").then(({ emergencies }) => emergencies.known !== null)'
)
SOUNDS = """
import("/console/sound.js").then(({ alarm }) => [alarm.state, alarm.owed, alarm.context?.state])
"""
HAS_ARRIVED = """
import("/console/emergencies.js").then(({ emergencies }) => emergencies.arrived.size > 0)
"""


class Desk:
    """A dispatcher's page, and citizens who report emergencies meanwhile."""

    def __init__(self, console: Console, gateway: Any) -> None:
        self.console = console
        self.page = console.page
        self._reports = gateway.asked.reports
        self._publish = Publisher(gateway.engines)

    async def receive(self, report_id: str, category: Any = ACCIDENT) -> None:
        due = system_clock() + timedelta(minutes=7)
        self._reports[report_id] = a_report(report_id, due, category=category, emergency=True)
        await self._publish("citizen-reports", "reports.v1.received", f"report:{report_id}")

    async def worsen(self, report_id: str) -> None:
        report = self._reports[report_id]
        report.overdue = True
        report.report.version += 1
        await self._publish(
            "citizen-reports",
            "reports.v1.overdue",
            f"report:{report_id}",
            version=report.report.version,
        )

    async def title_is(self, title: str) -> None:
        await expect(self.page).to_have_title(title, timeout=PROMISE_MS)

    async def holds(self, condition: str) -> None:
        """Waits until an expression of JavaScript is true in the page."""
        async with asyncio.timeout(PROMISE_MS / 1000):
            while not await self.page.evaluate(condition):
                await asyncio.sleep(0.05)

    async def tones(self) -> int:
        found: int = await self.page.evaluate("window.tones")
        return found

    async def are_heard(self, tones: int) -> None:
        """So many since the page was opened; two make one call."""
        try:
            async with asyncio.timeout(PROMISE_MS / 1000):
                while await self.tones() != tones:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            state = await self.page.evaluate(SOUNDS)
            raise AssertionError(f"{await self.tones()} tones: {state}") from None


@pytest.fixture
def open_desk(console: OpenConsole, gateway: Any) -> Any:
    async def open_as(tab: str = "reports", operator: str = "dispatcher-almaty") -> Desk:
        desk = Desk(await console(operator, tab), gateway)
        if operator.startswith(("dispatcher", "supervisor")):
            # What a page finds at its first look is shown, and not heard.
            for each in (IS_CONNECTED, HAS_LOOKED):
                await desk.holds(each)
        return desk

    return open_as


@pytest.mark.parametrize("seconds", [0, DELAY_SECONDS])
async def test_a_new_emergency_appears_in_list_and_title_and_is_heard(
    open_desk: Any, seconds: float
) -> None:
    desk = await open_desk()
    await desk.title_is("Tartip")
    await desk.console.delay("**/v1/reports?*", seconds)
    await desk.receive("accident-1")
    await desk.title_is("(1) Tartip")
    await expect(desk.console.row("accident-1")).to_be_visible(timeout=PROMISE_MS)
    await desk.are_heard(2)
    await desk.receive("accident-2")
    await desk.title_is("(2) Tartip")
    await desk.are_heard(4)


async def test_an_emergency_is_told_whatever_tab_and_filter_are_chosen(open_desk: Any) -> None:
    desk = await open_desk("cameras")
    await desk.receive("accident-1")
    await desk.title_is("(1) Tartip")
    await expect(desk.page.locator("#alarm .calling")).to_have_text("Экстренные: 1")
    await desk.page.locator("#alarm .calling").click()
    await desk.page.get_by_label("Все категории").select_option("other")
    await expect(desk.console.row("accident-1")).to_be_visible()
    await desk.receive("accident-2")
    await expect(desk.console.row("accident-2")).to_be_visible(timeout=PROMISE_MS)


@pytest.mark.parametrize("category", [VIOLENCE, CHILD])
async def test_violence_and_children_make_no_sound_and_nothing_but_a_number(
    open_desk: Any, category: Any
) -> None:
    desk = await open_desk("cameras")
    await desk.receive("report-1", category)
    await desk.title_is("(1) Tartip")
    assert await desk.tones() == 0
    assert "насили" not in (await desk.page.locator("body").inner_text()).lower()
    assert await desk.page.locator("#notice.shown").count() == 0
    await desk.receive("accident-1")
    await desk.title_is("(2) Tartip")
    await desk.are_heard(2)


async def test_a_worsening_emergency_is_heard_again(open_desk: Any) -> None:
    desk = await open_desk()
    await desk.receive("accident-1")
    await desk.title_is("(1) Tartip")
    for heard in (4, 6):  # overdue, and a step further up the ladder
        await desk.worsen("accident-1")
        await desk.are_heard(heard)
    await expect(desk.console.row("accident-1")).to_have_class("row due-now")


async def test_what_was_there_at_sign_in_is_counted_and_not_heard(
    open_desk: Any, gateway: Any
) -> None:
    due = system_clock() + timedelta(minutes=3)
    gateway.asked.reports["accident-1"] = a_report(
        "accident-1", due, category=ACCIDENT, emergency=True
    )
    desk = await open_desk()
    await desk.title_is("(1) Tartip")
    assert await desk.tones() == 0


async def test_an_emergency_that_came_while_the_connection_was_lost_is_told_when_it_is_back(
    open_desk: Any,
) -> None:
    desk = await open_desk()
    await desk.page.context.set_offline(True)
    await desk.page.evaluate("import('/console/feed.js').then(({ feed }) => feed.again())")
    await expect(desk.page.locator("#feed-lost")).to_be_visible()
    await desk.receive("accident-1")
    await desk.page.context.set_offline(False)
    await desk.title_is("(1) Tartip")
    await expect(desk.page.locator("#feed-lost")).to_be_hidden()
    await desk.are_heard(2)


async def test_a_look_that_failed_is_soon_followed_by_another(open_desk: Any) -> None:
    """For a while nothing else happens that would make the page load the list again."""
    desk = await open_desk("cameras")
    await desk.console.intercept(LOOKS, lambda route: route.abort(), times=1)
    async with desk.page.expect_event("requestfailed"):
        await desk.receive("accident-1")
    await desk.title_is("(1) Tartip")
    await desk.are_heard(2)


async def test_an_emergency_that_came_before_any_look_succeeded_is_heard(open_desk: Any) -> None:
    desk = await open_desk("cameras")
    await desk.console.intercept(LOOKS, lambda route: route.abort())
    await desk.page.reload()
    await desk.console.is_loaded()
    await desk.page.keyboard.press("Shift")
    await desk.holds(IS_CONNECTED)
    await desk.receive("accident-1")
    await desk.holds(HAS_ARRIVED)
    await desk.page.unroute(LOOKS)
    await desk.title_is("(1) Tartip")
    await desk.are_heard(2)


async def test_taking_an_emergency_ends_its_call(open_desk: Any) -> None:
    desk = await open_desk()
    await desk.receive("accident-1")
    await desk.title_is("(1) Tartip")
    await desk.console.row("accident-1").click()
    await desk.console.choose_purpose()
    await desk.console.is_ready("accident-1", "take")
    await desk.console.press("KeyT")
    await desk.console.is_ready("accident-1", "answer")
    await desk.title_is("Tartip")


async def test_the_sound_is_switched_off_for_each_operator_for_good(open_desk: Any) -> None:
    desk = await open_desk()
    await desk.page.locator("#alarm .sound").click()
    await expect(desk.page.locator("#alarm .sound")).to_contain_text("Звук выключен")
    await desk.page.reload()
    await expect(desk.page.locator("#alarm .sound")).to_contain_text("Звук выключен")
    await desk.receive("accident-1")
    await desk.title_is("(1) Tartip")
    assert await desk.tones() == 0
    assert await desk.page.evaluate("localStorage.getItem('tartip.sound.dispatcher-almaty')")
    assert not await desk.page.evaluate("localStorage.getItem('tartip.sound.supervisor-almaty')")


async def test_a_page_that_may_not_sound_yet_says_so_and_sounds_as_soon_as_it_may(
    open_desk: Any, gateway: Any
) -> None:
    """A browser plays sound only after the user has interacted with the page."""
    first = await open_desk()
    page = await first.page.context.new_page()
    session = await first.page.evaluate("sessionStorage.getItem('tartip.session')")
    await page.add_init_script(HEARS_TONES)
    await page.add_init_script(f"sessionStorage.setItem('tartip.session', {json.dumps(session)})")
    await page.add_init_script(SAYS_WHEN_SHOWN)
    # Whatever Playwright evaluates in a page counts as a user's touch: nothing until it is shown.
    async with page.expect_console_message(lambda said: said.text == "shown"):
        await page.goto(gateway.url)
    desk = Desk(Console(page, gateway), gateway)
    await desk.console.is_loaded()
    await expect(page.locator("#alarm .sound")).to_contain_text("нажмите любую клавишу")
    await desk.receive("accident-1")
    await desk.title_is("(1) Tartip")
    assert await desk.tones() == 0
    await page.keyboard.press("Shift")
    await desk.are_heard(2)
    await expect(page.locator("#alarm .sound")).to_contain_text("Звук включён")
