"""The review desk in a real browser: what stands on the screen is decided, and nothing else."""

import asyncio
import hashlib
import re
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from tartip.cameras.v1 import cameras_pb2
from tartip.violations.v1 import violations_pb2

from .browser import DELAY_SECONDS, PROMISE_MS, Console, OpenConsole, expect, needs_chromium
from .conftest import Publisher
from .peers import PHOTOGRAPH_SHA, a_violation, decide

pytestmark = needs_chromium
CASES = ("violation-1", "violation-2", "violation-3")
CONFIRMED = violations_pb2.VIOLATION_STATE_CONFIRMED
EVIDENCE = "**/v1/violations/*/evidence/**"


def each_violation(**changes: Any) -> dict[str, violations_pb2.Violation]:
    """Three that differ in what an inspector sees."""
    plates = ("777ABA02", "123KZT05", "045TAR16")
    found = {case: a_violation(case, **changes) for case in CASES}
    for violation, plate in zip(found.values(), plates, strict=True):
        violation.plate.text = plate
    return found


async def at_desk(console: OpenConsole, *, with_key: bool = True) -> Console:
    """An inspector with a purpose and a key before three cases, none of them open."""
    desk = await console("inspector-almaty", "violations")
    if with_key:
        await desk.pick_key()
    await desk.page.locator(".purpose").click()
    await desk.choose_purpose()
    return desk


@pytest.fixture
def queue(gateway: Any, console: OpenConsole) -> dict[str, violations_pb2.Violation]:
    gateway.asked.violations.update(each_violation())
    held: dict[str, violations_pb2.Violation] = gateway.asked.violations
    return held


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


def check_signed(desk: Console, violation_id: str, part: bytes) -> None:
    """What arrived is signed by the officer's key over exactly the prepared bytes."""
    decision = desk.signed()[-1]
    assert decision.violation_id == violation_id
    assert part in decision.canonical and violation_id.encode() in decision.canonical
    key = x509.load_pem_x509_certificate(decision.certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(decision.signature, decision.canonical, ec.ECDSA(hashes.SHA256()))


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
    await desk.page.route(EVIDENCE, lambda route: route.abort())
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
    await desk.page.route(EVIDENCE, lambda route: route.fulfill(**answer))
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
    """The answer was made before the decision and comes after the news of it."""
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
    """Each reading is logged: there is none without need."""
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
    """Else what is being typed would go on as commands."""
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
    await desk.page.route("**/v1/violations?state=confirmed*", lambda route: route.abort(), times=1)
    await desk.page.select_option(".bar select", "confirmed")
    await expect(desk.page.locator(".list [role=alert]")).to_contain_text("Шлюз не отвечает")
    assert await desk.page.locator("[role=option]").count() == 0
    await desk.page.locator(".list [role=alert] button").click()
    await expect(desk.row("violation-3")).to_be_visible()


async def test_what_is_on_the_page_before_stays_when_more_is_shown(
    console: OpenConsole, gateway: Any
) -> None:
    gateway.asked.violations.update({
        f"v-{number:03}": a_violation(f"v-{number:03}") for number in range(70)
    })  # fmt: skip
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


async def test_without_a_key_nothing_is_decided(console: OpenConsole, queue: Any) -> None:
    desk = await at_desk(console, with_key=False)
    await desk.press("KeyJ")
    await desk.is_ready("violation-1", "confirm")
    await desk.press("KeyC")
    await desk.says("Сначала выберите ключ")
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
