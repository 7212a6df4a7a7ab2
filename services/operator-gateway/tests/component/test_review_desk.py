"""The review desk in a real browser: only what is on the screen can be decided."""

import asyncio
import hashlib
import re
from typing import Any

import pytest
from tartip.cameras.v1 import cameras_pb2
from tartip.violations.v1 import violations_pb2

from .browser import DELAY_SECONDS, PROMISE_MS, OpenConsole, expect, needs_chromium
from .conftest import Publisher
from .peers import a_violation, decide
from .review_desk import CASES, CONFIRMED, EVIDENCE, at_desk, check_signed

pytestmark = needs_chromium


async def test_confirming_while_the_next_case_loads_decides_nothing(
    console: OpenConsole, queue: Any
) -> None:
    """The old case is gone from the screen at once, and the new one is not there yet."""
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.delay("**/v1/violations/violation-2")
    await desk.press("KeyJ")
    await desk.press("KeyC")
    await desk.says("ещё не загружено")
    await desk.is_open("violation-2", "loading")
    assert "777ABA02" not in await desk.page.locator(".case").inner_text()
    await desk.is_ready("violation-2", "confirm")
    assert desk.asked.of(violations_pb2.PrepareDecisionRequest) == []
    await desk.press("KeyC")
    await expect(desk.page.locator(".decided")).to_be_visible()
    check_signed(desk, "violation-2", b"123KZT05")


async def test_a_decision_pressed_in_time_is_of_the_case_it_was_pressed_for(
    console: OpenConsole, queue: Any
) -> None:
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.delay("**/decision/prepare")
    await desk.press("KeyC")
    await desk.press("KeyJ")
    await desk.is_ready("violation-2", "confirm")
    await desk.says("Подтверждено")
    await desk.is_open("violation-2")
    assert [one.violation_id for one in desk.signed()] == ["violation-1"]
    assert await desk.button("confirm").is_enabled()


async def test_an_answer_that_comes_late_is_never_shown(console: OpenConsole, queue: Any) -> None:
    desk = await at_desk(console)
    former = "**/v1/violations/violation-1"
    await desk.delay(former)
    async with desk.page.expect_request(former):
        await desk.row("violation-1").click()
    async with desk.page.expect_event("requestfailed") as given_up:
        await desk.row("violation-3").click()
    assert (await given_up.value).url.endswith("violation-1")
    await desk.is_open("violation-3")
    await asyncio.sleep(DELAY_SECONDS + 0.5)  # nothing is to happen: there is no event to wait for
    await desk.is_open("violation-3")
    assert "045TAR16" in await desk.page.locator(".case").inner_text()


async def test_cases_that_are_passed_by_are_not_read(console: OpenConsole, queue: Any) -> None:
    desk = await at_desk(console)
    for _ in CASES:
        await desk.press("KeyJ")
    await desk.is_open("violation-3")
    assert desk.opened() == ["violation-3"]


async def test_nothing_is_decided_before_the_picture_stands_there(
    console: OpenConsole, queue: Any
) -> None:
    desk = await at_desk(console)
    await desk.delay(EVIDENCE)
    await desk.press("KeyJ")
    await desk.is_open("violation-1")
    assert [await desk.button(name).is_disabled() for name in ("confirm", "reject")] == [True, True]
    await desk.press("KeyC")
    await desk.says("Сначала должен загрузиться снимок")
    await desk.is_ready("violation-1", "confirm")
    assert desk.asked.of(violations_pb2.PrepareDecisionRequest) == []


async def test_a_picture_that_does_not_load_keeps_the_decision_closed(
    console: OpenConsole, queue: Any
) -> None:
    desk = await at_desk(console)
    await desk.intercept(EVIDENCE, lambda route: route.abort())
    await desk.press("KeyJ")
    await expect(desk.page.locator(".evidence [role=alert]")).to_contain_text("не загрузился")
    assert await desk.button("confirm").is_disabled()
    await desk.press("KeyC")
    await desk.press("KeyR")
    assert desk.asked.of(violations_pb2.PrepareDecisionRequest) == []
    await desk.page.unroute(EVIDENCE)
    await desk.page.locator(".evidence [role=alert] button").click()
    await desk.is_ready("violation-1", "confirm")


async def test_a_film_can_still_be_looked_at_when_its_case_was_read_again(
    console: OpenConsole, queue: Any, gateway: Any
) -> None:
    film = b"bytes of a film"
    queue["violation-1"].evidence_sha256[:] = [hashlib.sha256(film).hexdigest()]
    desk = await at_desk(console)
    await desk.page.evaluate("""() => {
        window.revoked = [];
        const revoke = URL.revokeObjectURL;
        URL.revokeObjectURL = (url) => { window.revoked.push(url); revoke.call(URL, url); };
    }""")
    answer = {"content_type": "video/mp4", "body": film}
    await desk.intercept(EVIDENCE, lambda route: route.fulfill(**answer))
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    queue["violation-1"].version += 1
    publish = Publisher(gateway.engines)
    await publish("violations", "violations.v1.confirmed", "violation:violation-1", version=2)
    changed = desk.page.locator(".case[data-case-version='2']")
    await expect(changed).to_have_count(1, timeout=PROMISE_MS)
    await desk.is_ready("violation-1", "confirm")
    shown = "revoked.includes(document.querySelector('.evidence video').src)"
    assert await desk.page.evaluate("revoked.length") == 1
    assert not await desk.page.evaluate(shown)


async def test_a_picture_of_another_hash_is_not_shown_and_nothing_is_signed(
    console: OpenConsole, queue: Any
) -> None:
    desk = await at_desk(console)
    queue["violation-1"].evidence_sha256[:] = ["ab" * 32]  # the store answers other bytes for it
    await desk.press("KeyJ")
    await expect(desk.page.locator(".evidence [role=alert]")).to_contain_text("не соответствует")
    assert await desk.button("confirm").is_disabled()
    await desk.press("KeyC")
    assert await desk.page.locator(".evidence canvas").count() == 0
    assert desk.asked.of(violations_pb2.PrepareDecisionRequest) == []


async def test_a_filter_never_opens_another_case(console: OpenConsole, queue: Any) -> None:
    desk = await at_desk(console)
    decide(queue["violation-3"], CONFIRMED, "inspector-2")
    await desk.page.get_by_role("button", name="Обновить").click()
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.press("Slash")
    await expect(desk.page.locator(".bar select")).to_be_focused()
    await desk.page.select_option(".bar select", "confirmed")
    await expect(desk.page.locator("[role=option]")).to_have_count(1)
    await desk.is_open("violation-1")
    await expect(desk.page.locator(".unlisted")).to_contain_text("нет в списке")
    assert desk.opened() == ["violation-1"]
    assert await desk.page.locator("[aria-selected=true]").count() == 0


async def test_while_a_filter_loads_no_row_and_no_page_of_the_former_list_is_offered(
    console: OpenConsole, gateway: Any
) -> None:
    held = {f"v-{number:03}": a_violation(f"v-{number:03}") for number in range(120)}
    for case in list(held)[60:]:
        decide(held[case], CONFIRMED, "inspector-2")
    gateway.asked.violations.update(held)
    desk = await at_desk(console)
    await expect(desk.page.locator("[role=option]")).to_have_count(50)
    release = await desk.hold("**/v1/violations?state=confirmed*")
    await desk.page.select_option(".bar select", "confirmed")
    await expect(desk.page.locator("[role=option]")).to_have_count(0)
    await expect(desk.page.get_by_role("button", name="Показать ещё")).to_have_count(0)
    await desk.press("KeyJ")
    release.set()
    await expect(desk.page.locator("[role=option]")).to_have_count(50)
    assert desk.opened() == []
    await desk.page.get_by_role("button", name="Показать ещё").click()
    await expect(desk.page.locator("[role=option]")).to_have_count(60)
    shown = await desk.page.locator("[role=option]").evaluate_all(
        "rows => rows.map((row) => row.dataset.id)"
    )
    assert shown == list(held)[60:]


async def test_a_filter_whose_list_does_not_come_says_so_and_can_be_tried_again(
    console: OpenConsole, queue: Any
) -> None:
    decide(queue["violation-3"], CONFIRMED, "inspector-2")
    desk = await at_desk(console)
    await desk.intercept("**/v1/violations?state=confirmed*", lambda route: route.abort(), times=1)
    await desk.page.select_option(".bar select", "confirmed")
    await expect(desk.page.locator(".list [role=alert]")).to_contain_text("Шлюз не отвечает")
    assert await desk.page.locator("[role=option]").count() == 0
    await desk.page.locator(".list [role=alert] button").click()
    await expect(desk.row("violation-3")).to_be_visible()


async def test_what_is_on_the_page_before_stays_when_more_is_shown(
    console: OpenConsole, gateway: Any
) -> None:
    gateway.asked.violations.update(
        {f"v-{number:03}": a_violation(f"v-{number:03}") for number in range(70)}
    )
    desk = await at_desk(console)
    await desk.row("v-049").click()
    await desk.is_open("v-049")
    place = await desk.page.locator(".list").evaluate("list => list.scrollTop")
    assert place > 0
    await desk.page.get_by_role("button", name="Показать ещё").click()
    await expect(desk.page.locator("[role=option]")).to_have_count(70)
    await desk.page.get_by_role("button", name="Обновить").click()
    await expect(desk.page.locator("[role=option]")).to_have_count(70)
    assert await desk.page.locator(".list").evaluate("list => list.scrollTop") == place
    assert await desk.row("v-049").get_attribute("aria-selected") == "true"
    await desk.press("KeyJ")
    await desk.is_open("v-050")


async def test_a_key_held_down_or_pressed_while_writing_decides_nothing(
    console: OpenConsole, queue: Any
) -> None:
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.press("KeyC", repeat=True)
    await desk.page.locator(".bar select").focus()
    await desk.press("KeyC")
    assert desk.asked.of(violations_pb2.PrepareDecisionRequest) == []


async def test_only_what_the_owner_offers_can_be_done(console: OpenConsole, queue: Any) -> None:
    del queue["violation-1"].actions[:]
    queue["violation-1"].actions.append("reject")
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "reject")
    assert await desk.button("confirm").count() == 0
    await desk.press("KeyC")
    await desk.says("сейчас так поступить нельзя")
    assert desk.asked.of(violations_pb2.PrepareDecisionRequest) == []


async def test_cases_that_cannot_both_be_true_are_shown_with_place_and_time(
    console: OpenConsole, queue: Any
) -> None:
    queue["violation-1"].hold_reason = "DEVICE_DIFFERS"
    queue["violation-1"].conflicting_violation_ids.append("violation-2")
    other = queue["violation-2"]
    other.place.latitude, other.place.longitude = 51.16, 71.47
    other.place.region, other.place.address = "KZ-71", "Kabanbay 53"
    other.occurred_at.seconds += 2
    desk = await at_desk(console)
    await desk.press("KeyJ")
    card = desk.page.locator(".conflicts .card")
    await expect(card).to_contain_text("KZ-71, Kabanbay 53")
    await expect(card).to_contain_text("973 км, 2 с")
    await expect(card.locator("canvas").first).to_be_visible()
    await expect(desk.page.locator(".hold", has_text="измерял другой прибор")).to_be_visible()
    await card.get_by_role("button").click()
    await desk.is_open("violation-2")


@pytest.mark.parametrize(
    ("language", "hold"),
    [("kk", "нөмір сенімсіз оқылған"), ("ru", "прочитан неуверенно"), ("en", "not read for sure")],
)
async def test_a_hold_has_words_in_three_languages(
    console: OpenConsole, queue: Any, language: str, hold: str
) -> None:
    queue["violation-1"].hold_reason = "PLATE_UNSURE"
    desk = await at_desk(console, with_key=False)
    await desk.page.select_option("#language", language)
    await expect(desk.row("violation-1")).to_contain_text(hold)


@pytest.mark.parametrize(
    ("language", "until"), [("kk", r"\d\d:\d\d дейін"), ("ru", r"до \d\d"), ("en", r"until \d\d")]
)
async def test_how_long_a_purpose_holds_is_said_in_the_order_of_the_language(
    console: OpenConsole, queue: Any, language: str, until: str
) -> None:
    desk = await at_desk(console, with_key=False)
    await desk.page.select_option("#language", language)
    await expect(desk.page.locator(".purpose")).to_have_text(re.compile(until))


async def test_every_kind_of_camera_has_words(console: OpenConsole, queue: Any) -> None:
    desk = await at_desk(console, with_key=False)
    texts = await desk.page.evaluate("import('/console/texts.js').then((texts) => texts.TEXTS)")
    kinds = {name.lower() for name in cameras_pb2.CameraKind.DESCRIPTOR.values_by_name}
    named = {name.removeprefix("kind.") for name in texts if name.startswith("kind.")}
    assert {f"camera_kind_{name}" for name in named} == kinds - {"camera_kind_unspecified"}
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.page.locator("summary").click()
    await expect(desk.page.locator("details .facts")).to_contain_text("скорость в точке")
