"""The review desk in a real browser: decisions of others meanwhile, and late answers."""

import asyncio
from typing import Any

import pytest
from tartip.violations.v1 import violations_pb2

from .browser import PROMISE_MS, Console, OpenConsole, expect, needs_chromium
from .conftest import Publisher
from .peers import a_violation, decide
from .review_desk import CONFIRMED, at_desk

pytestmark = needs_chromium


async def test_a_case_decided_by_another_says_by_whom_and_closes_when_it_is_refused(
    console: OpenConsole, queue: Any
) -> None:
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "reject")
    await desk.press("KeyR")
    await desk.page.fill("dialog[open] textarea", "too dark to read")
    decide(queue["violation-1"], CONFIRMED, "inspector-2")
    await desk.delay("**/decision/prepare")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("dialog[open] .refusal")).to_contain_text("уже принято")
    assert await desk.page.input_value("dialog[open] textarea") == "too dark to read"
    await expect(desk.page.locator("dialog[open] button.main")).to_be_disabled()
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.locator(".decided")).to_contain_text("inspector-2")
    assert await desk.page.locator(".case [data-action]").count() == 0
    await desk.is_open("violation-1")
    assert desk.signed() == []


async def test_a_case_decided_by_another_is_closed_by_the_live_feed(
    console: OpenConsole, queue: Any, gateway: Any
) -> None:
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    decide(queue["violation-1"], CONFIRMED, "inspector-2")
    publish = Publisher(gateway.engines)
    await publish("violations", "violations.v1.confirmed", "violation:violation-1", version=2)
    await expect(desk.page.locator(".decided")).to_contain_text("inspector-2", timeout=PROMISE_MS)
    assert await desk.page.locator(".case [data-action]").count() == 0
    await expect(desk.row("violation-1")).to_have_count(0)
    await desk.press("KeyC")
    await desk.says("сейчас так поступить нельзя")


async def test_a_case_decided_by_another_while_it_loads_is_shown_as_decided(
    console: OpenConsole, queue: Any, gateway: Any
) -> None:
    """The answer was made before the decision and arrives after its event."""
    desk = await at_desk(console)
    release = await desk.hold("**/v1/violations/violation-1")
    async with desk.page.expect_request("**/v1/violations/violation-1"):
        await desk.row("violation-1").click()
    while not desk.opened():
        await asyncio.sleep(0.02)
    was = a_violation("violation-1")
    was.CopyFrom(queue["violation-1"])
    queue["violation-1"] = decide(was, CONFIRMED, "inspector-2")
    publish = Publisher(gateway.engines)
    await publish("violations", "violations.v1.confirmed", "violation:violation-1", version=2)
    await expect(desk.row("violation-1")).to_have_count(0, timeout=PROMISE_MS)
    release.set()
    await expect(desk.page.locator(".decided")).to_contain_text("inspector-2", timeout=PROMISE_MS)
    assert await desk.page.locator(".case [data-action]").count() == 0


@pytest.mark.parametrize("position", ["unreadable", ""])
async def test_a_case_decided_while_news_were_missed_is_read_again(
    console: OpenConsole, queue: Any, position: str
) -> None:
    """A stream that cannot be resumed, and one that begins only now."""
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    decide(queue["violation-1"], CONFIRMED, "inspector-2")  # and no fact of it arrives
    await desk.page.evaluate(
        """(position) => import("/console/feed.js").then(({ feed }) => {
            feed.again();
            feed.position = position;
        })""",
        position,
    )
    await expect(desk.page.locator(".decided")).to_contain_text("inspector-2", timeout=PROMISE_MS)
    assert await desk.page.locator(".case [data-action]").count() == 0


async def test_a_stream_that_goes_on_where_it_broke_off_reads_no_case_again(
    console: OpenConsole, queue: Any, gateway: Any
) -> None:
    """Each reading is audited, so none happens without need."""
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.page.evaluate("import('/console/feed.js').then(({ feed }) => feed.again())")
    decide(queue["violation-2"], CONFIRMED, "inspector-2")
    publish = Publisher(gateway.engines)
    await publish("violations", "violations.v1.confirmed", "violation:violation-2", version=2)
    await expect(desk.row("violation-2")).to_have_count(0, timeout=PROMISE_MS)
    await desk.is_ready("violation-1", "confirm")
    assert desk.opened() == ["violation-1"]


async def test_an_answer_that_comes_late_leaves_the_question_that_is_open_now(
    console: OpenConsole, queue: Any
) -> None:
    """Otherwise what is being typed would be taken for commands."""
    desk = await at_desk(console)
    release = await rejected_and_left(desk)
    await desk.press("KeyR")
    await desk.page.fill("dialog[open] textarea", "co")
    release.set()
    await desk.says("Отклонено")
    await expect(desk.page.locator("dialog[open] textarea")).to_have_value("co")
    await expect(desk.page.locator("dialog[open] button.main")).to_be_enabled()
    assert [one.violation_id for one in desk.signed()] == ["violation-1"]


@pytest.mark.parametrize("where", ["next", "fines"])
async def test_a_refusal_that_comes_late_names_the_case_it_is_of(
    console: OpenConsole, queue: Any, where: str
) -> None:
    desk = await at_desk(console)
    release = await rejected_and_left(desk, refused=True)
    if where == "fines":
        await desk.page.keyboard.press("2")
        await desk.page.wait_for_selector("h1:text-is('Штрафы')")
    release.set()
    await desk.says("777ABA02")
    await desk.says("Решение уже принято")


async def rejected_and_left(desk: Console, *, refused: bool = False) -> asyncio.Event:
    """A rejection is under way, its dialog closed, and the next case open; the answer is held."""
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "reject")
    pattern = "**/v1/violations/violation-1/decision/prepare"
    release = await desk.hold(pattern)
    await desk.press("KeyR")
    await desk.page.fill("dialog[open] textarea", "too dark")
    async with desk.page.expect_request(pattern):
        await desk.page.keyboard.press("Control+Enter")
    while not desk.asked.of(violations_pb2.PrepareDecisionRequest):
        await asyncio.sleep(0.02)
    if refused:
        decide(desk.asked.violations["violation-1"], CONFIRMED, "inspector-2")
    await desk.page.keyboard.press("Escape")
    await desk.press("KeyJ")
    await desk.is_ready("violation-2", "reject")
    return release
