"""The review desk in a real browser: what is signed is what is on the screen."""

from typing import Any

import pytest
from tartip.violations.v1 import violations_pb2

from .browser import OpenConsole, expect, needs_chromium
from .peers import PHOTOGRAPH_SHA
from .review_desk import EVIDENCE, at_desk, check_signed

pytestmark = needs_chromium


async def test_an_inspector_confirms_and_rejects_by_keyboard_in_a_cyrillic_layout(
    console: OpenConsole, queue: Any
) -> None:
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.press("KeyC")
    await expect(desk.page.locator(".decided")).to_contain_text("inspector-almaty")
    await desk.is_open("violation-1")  # the same case, as it is now
    assert not await desk.button("confirm").count()
    await expect(desk.page.locator("[role=option]")).to_have_count(2)
    check_signed(desk, "violation-1", b'"verdict":"confirm"')
    await desk.press("KeyJ")
    await desk.is_ready("violation-2", "reject")
    await desk.press("KeyR")
    await desk.page.fill("dialog[open] textarea", "not readable; j c")
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator(".decided")).to_contain_text("inspector-almaty")
    check_signed(desk, "violation-2", b'"reason":"not readable; j c"')
    assert len(desk.signed()) == 2


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("violation_id", "violation-2", "идентификатор"),
        ("version", 7, "версия"),
        ("verdict", "reject", "решение"),
        ("reason", "another", "причина"),
        ("officer", "inspector-astana", "сотрудник"),
        ("plate", "777ABA05", "номер"),
        ("region", "KZ-71", "регион"),
        ("occurred_at", "2026-11-27T07:00:00.000251Z", "время"),
        ("over_kmh", "48.5", "превышение"),
        ("evidence_sha256", ["ab" * 32], "хеш доказательства"),
        ("original_sha256", ["ab" * 32], "хеш оригинала"),
        ("offence", {"code": "RED_LIGHT"}, "код нарушения"),
        ("readings", {"speed_kmh": 111.5}, "скорость"),
        ("surcharge", "1000", "surcharge"),
    ],
)
async def test_bytes_that_say_something_else_are_not_signed_and_the_field_is_named(
    console: OpenConsole, queue: Any, field: str, value: Any, named: str
) -> None:
    desk = await at_desk(console)
    desk.asked.tampered[field] = value
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.press("KeyC")
    await expect(desk.page.locator(".differs")).to_contain_text(named)
    await desk.is_ready("violation-1", "confirm")
    assert desk.signed() == []


async def test_bytes_in_which_a_name_stands_twice_are_not_signed(
    console: OpenConsole, queue: Any
) -> None:
    """The second says what is shown, the first something else."""
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    desk.asked.spelled = b'{"plate":"666XXX01","plate":"777ABA02"}'
    await desk.press("KeyC")
    await expect(desk.page.locator(".differs")).to_contain_text("форма текста")
    assert desk.signed() == []


async def test_a_version_that_was_not_shown_is_not_decided(
    console: OpenConsole, queue: Any
) -> None:
    desk = await at_desk(console)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    queue["violation-1"].version += 1
    queue["violation-1"].caution = "READ_WHILE_DEGRADED"
    await desk.press("KeyC")
    await desk.says("Тем временем изменилось")
    await expect(desk.page.locator(".case .hold")).to_contain_text("сверьте со снимком")
    assert desk.signed() == []
    await desk.is_ready("violation-1", "confirm")
    await desk.press("KeyC")
    await expect(desk.page.locator(".decided")).to_be_visible()


async def test_without_a_key_nothing_is_decided(console: OpenConsole, queue: Any) -> None:
    desk = await at_desk(console, with_key=False)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.press("KeyC")
    await desk.says("Сначала выберите ключ")
    assert desk.asked.of(violations_pb2.PrepareDecisionRequest) == []


async def test_the_signature_is_der_for_every_sign_of_its_numbers(
    console: OpenConsole, queue: Any
) -> None:
    """Leading zeros go, and a number whose first bit is set gets one."""
    desk = await console("inspector-almaty")
    found = await desk.page.evaluate("""async () => {
        const { der } = await import("/console/signing.js");
        const raw = new Uint8Array(64);
        raw[31] = 0x80; raw[62] = 0x01; raw[63] = 0x02;
        return [...der(raw)];
    }""")
    assert found == [0x30, 8, 2, 2, 0, 0x80, 2, 2, 1, 2]


async def test_evidence_is_asked_for_by_the_hash_that_is_signed(
    console: OpenConsole, queue: Any
) -> None:
    desk = await at_desk(console)
    async with desk.page.expect_request(EVIDENCE) as asked:
        await desk.press("KeyJ")
    assert PHOTOGRAPH_SHA in (await asked.value).url
