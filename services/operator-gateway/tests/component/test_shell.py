"""What every page owes: a purpose before a read, keys, three languages, and access for all."""

import datetime as dt
from typing import Any

import pytest
from chassis.clock import system_clock

from .browser import Console, OpenConsole, decoded, expect, needs_chromium
from .peers import BLURRED_SHA, PHOTOGRAPH_SHA, a_violation
from .report_peer import a_report

try:
    from axe_playwright_python.async_playwright import Axe
except ImportError:
    Axe = None

pytestmark = needs_chromium
KAZAKH_STATUSES = ("Желіде", "Сенімсіз", "Араласу бар", "Желіде емес", "Белгісіз")
RUSSIAN_STATUSES = ("В сети", "Ненадёжна", "Вмешательство", "Не в сети", "Неизвестно")
ENGLISH_STATUSES = ("Online", "Degraded", "Tampered", "Offline", "Unknown")
OWN = "Сот сұрауы № 12, іс бойынша"


@pytest.fixture
def cases(gateway: Any, console: OpenConsole) -> None:
    asked, soon = gateway.asked, system_clock() + dt.timedelta(hours=1)
    for number in (1, 2):
        asked.violations[f"violation-{number}"] = a_violation(f"violation-{number}")
        asked.reports[f"report-{number}"] = a_report(f"report-{number}", soon)
    urgent = a_report("report-3", soon, emergency=True)
    media = urgent.media.add(media_id="media-1", content_type="image/jpeg")
    media.evidence_sha256 = media.shown_sha256 = PHOTOGRAPH_SHA
    media.blurred_sha256 = BLURRED_SHA
    asked.reports["report-3"] = urgent
    asked.fines = 44


async def test_nothing_is_read_before_a_purpose_is_chosen(
    console: OpenConsole, cases: None
) -> None:
    desk = await console("inspector-almaty", "violations")
    await expect(desk.page.locator("[role=option]")).to_have_count(2)
    await expect(desk.page.locator(".case")).to_have_attribute("data-state", "empty")
    await desk.press("KeyJ")
    await desk.page.wait_for_selector("dialog[open]")
    assert desk.opened() == [] and desk.purposes == []
    await desk.page.keyboard.press("Escape")
    await desk.is_open("violation-1", "unread")
    assert desk.opened() == []
    await desk.page.get_by_role("button", name="Выбрать цель").click()
    await desk.choose_purpose(OWN)
    await desk.is_ready("violation-1", "confirm")
    assert desk.opened() == ["violation-1"]


async def test_a_purpose_in_any_script_is_chosen_once_shown_and_sent_with_every_read(
    console: OpenConsole, cases: None
) -> None:
    desk = await console("inspector-almaty", "violations")
    await desk.page.locator(".purpose").click()
    await desk.choose_purpose(OWN)
    await expect(desk.page.locator(".purpose")).to_contain_text(OWN)
    for case in ("violation-1", "violation-2"):
        await desk.press("KeyJ")
        await desk.is_ready(case, "confirm")
    assert desk.purposes and all(purpose.isascii() for purpose in desk.purposes)
    assert {decoded(purpose) for purpose in desk.purposes} == {OWN}
    await desk.page.reload()
    await expect(desk.page.locator(".purpose")).to_contain_text(OWN)
    await desk.page.keyboard.press("2")
    await desk.page.wait_for_selector("h1:text-is('Штрафы')")
    await expect(desk.page.locator(".purpose")).to_contain_text("не выбрана")


async def test_a_purpose_holds_for_half_an_hour(console: OpenConsole, cases: None) -> None:
    desk = await console("inspector-almaty", "violations")
    await desk.page.locator(".purpose").click()
    await desk.choose_purpose()
    kept = await desk.page.evaluate(
        "Object.values(JSON.parse(sessionStorage.getItem('tartip.purposes')))[0].until - Date.now()"
    )
    assert 29 * 60_000 < kept <= 30 * 60_000
    await desk.page.evaluate("""() => {
        const kept = JSON.parse(sessionStorage.getItem("tartip.purposes"));
        for (const one of Object.values(kept)) one.until = Date.now() - 1;
        sessionStorage.setItem("tartip.purposes", JSON.stringify(kept));
    }""")
    await desk.press("KeyJ")
    await desk.page.wait_for_selector("dialog[open]")
    assert desk.opened() == []


async def test_an_answer_holds_before_the_next_key_is_heard(
    console: OpenConsole, cases: None
) -> None:
    desk = await console("inspector-almaty", "violations")
    await desk.page.locator(".purpose").click()
    await desk.page.wait_for_selector("#choose[open]")
    # Both keys in one task, as a hand that is faster than the page: what the first chose is kept.
    kept = await desk.page.evaluate("""async () => {
        const press = (key, code) => document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true }));
        press("Enter", "Enter");
        await Promise.resolve();
        const kept = sessionStorage.getItem("tartip.purposes");
        press("о", "KeyJ");
        return kept;
    }""")
    assert kept is not None
    await desk.is_ready("violation-1", "confirm")
    await expect(desk.page.locator("#choose[open]")).to_have_count(0)


async def test_a_purpose_that_runs_out_while_one_writes_is_asked_for_and_the_text_stays(
    console: OpenConsole, cases: None
) -> None:
    desk = await console("dispatcher-almaty", "reports")
    await desk.page.locator(".purpose").click()
    await desk.choose_purpose()
    await desk.row("report-1").click()
    await desk.is_ready("report-1", "take")
    await desk.press("KeyT")
    await desk.is_ready("report-1", "answer")
    await desk.press("KeyA")
    await desk.page.fill("#ask textarea", "The street was swept.")
    await desk.page.select_option("#field-outcome", "measures_taken")
    await desk.page.evaluate("sessionStorage.removeItem('tartip.purposes')")
    await desk.page.keyboard.press("Control+Enter")
    await desk.page.wait_for_selector("#choose[open]")
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.locator("#ask .refusal")).to_contain_text("выберите цель")
    await expect(desk.page.locator("#ask textarea")).to_have_value("The street was swept.")
    await desk.page.keyboard.press("Control+Enter")
    await desk.choose_purpose()
    await expect(desk.page.locator(".case")).to_contain_text("The street was swept.")


async def test_a_purpose_is_of_its_operator(console: OpenConsole, cases: None) -> None:
    desk = await console("inspector-almaty", "violations")
    await desk.page.locator(".purpose").click()
    await desk.choose_purpose(OWN)
    await desk.page.get_by_role("button", name="Выйти").click()
    await desk.page.select_option("#operator", "supervisor-almaty")
    await desk.page.keyboard.press("Enter")
    await desk.is_loaded()
    await expect(desk.page.locator(".purpose")).to_contain_text("не выбрана")


@pytest.mark.parametrize("layout", ["latin", "cyrillic"])
async def test_keys_are_those_of_the_place_in_every_layout(
    console: OpenConsole, cases: None, layout: str
) -> None:
    desk = await console("dispatcher-almaty", "reports")
    await desk.page.locator(".purpose").click()
    await desk.choose_purpose()
    for code, case in (("KeyJ", "report-3"), ("KeyJ", "report-1"), ("KeyK", "report-3")):
        await desk.press(code, layout=layout)
        await desk.is_open(case)
    await desk.press("KeyT", layout=layout)
    await desk.is_ready("report-3", "answer")
    await desk.press("KeyQ", layout=layout)
    await expect(desk.page.locator("dialog[open] textarea")).to_be_focused()
    await desk.press("KeyJ", layout=layout)  # a letter of the question, and no command
    written = await desk.page.input_value("dialog[open] textarea")
    assert written == ("о" if layout == "cyrillic" else "j")
    await desk.page.keyboard.press("Escape")
    await desk.is_open("report-3")


async def test_the_keys_are_told_on_the_page(console: OpenConsole, cases: None) -> None:
    desk = await console("dispatcher-almaty", "reports")
    await desk.page.keyboard.press("Shift+Slash")
    help_ = desk.page.locator("dialog[open]")
    for text in ("Взять в работу", "следующее дело", "фильтр"):
        await expect(help_).to_contain_text(text)


async def test_all_is_done_from_the_keyboard_and_the_focus_is_not_lost(
    console: OpenConsole, cases: None
) -> None:
    """From the list into the case and the dialog, and back to where the operator was."""
    desk = await console("dispatcher-almaty", "reports")
    await desk.page.locator("[role=option][tabindex='0']").focus()
    await desk.page.keyboard.press("Enter")
    await desk.choose_purpose()
    await desk.is_ready("report-3", "take")
    await expect(desk.row("report-3")).to_be_focused()
    await desk.page.keyboard.press("ArrowDown")
    await expect(desk.row("report-1")).to_be_focused()
    await desk.is_open("report-1")
    await desk.button("route").focus()
    await desk.page.keyboard.press("Enter")
    for _ in range(6):
        await desk.page.keyboard.press("Tab")
        assert await desk.page.evaluate("document.activeElement.matches('body, dialog *')")
    await desk.page.keyboard.press("Escape")
    await expect(desk.button("route")).to_be_focused()


async def test_fines_are_gone_through_by_keyboard(console: OpenConsole, cases: None) -> None:
    desk = await console("inspector-almaty", "fines")
    buttons = desk.page.locator("td button")
    await expect(buttons).to_have_count(44)
    await buttons.first.focus()
    await desk.page.keyboard.press("ArrowDown")
    await desk.page.keyboard.press("Enter")
    await desk.choose_purpose()
    await expect(desk.page.locator(".case[data-state=shown]")).to_contain_text("100000000000001")


async def test_while_fines_load_for_a_filter_none_of_the_former_list_is_offered(
    console: OpenConsole, cases: None
) -> None:
    desk = await console("inspector-almaty", "fines")
    await expect(desk.page.locator("td button")).to_have_count(44)
    release = await desk.hold("**/v1/fines?*state=paid*")
    await desk.page.select_option(".bar select", "paid")
    await expect(desk.page.locator("td button")).to_have_count(0)
    release.set()
    await expect(desk.page.locator("td button")).to_have_count(44)


@pytest.mark.parametrize(
    ("language", "titles"),
    [
        ("kk", ["Тіркелген", "Қосылған", "ЖИ бар", *KAZAKH_STATUSES]),
        ("ru", ["Зарегистрировано", "Подключено", "С ИИ", *RUSSIAN_STATUSES]),
        ("en", ["Registered", "Connected", "With AI", *ENGLISH_STATUSES]),
    ],
)
async def test_cameras_that_are_offline_or_unknown_are_counted_apart(
    console: OpenConsole, language: str, titles: list[str]
) -> None:
    desk = await console("inspector-almaty", "cameras")
    await desk.page.select_option("#language", language)
    tiles = desk.page.locator(".tile")
    counts = ["9", "8", "1", "4", "0", "0", "3", "2"]
    whole = [f"{number}{title}" for number, title in zip(counts, titles, strict=True)]
    await expect(tiles).to_have_text(whole)
    await expect(desk.page.locator("thead th.number")).to_have_text(titles)
    await expect(desk.page.locator("tbody td.number")).to_have_text(counts)


async def test_the_page_speaks_three_languages(console: OpenConsole, cases: None) -> None:
    desk = await console("inspector-almaty", "violations")
    for language, title in (("kk", "Бұзушылықтар"), ("ru", "Нарушения"), ("en", "Violations")):
        await desk.page.select_option("#language", language)
        await desk.page.wait_for_selector(f"h1:text-is('{title}')")


async def test_no_label_is_missing_in_any_language(console: OpenConsole) -> None:
    """Each text has three forms, and whatever the pages ask for by name has one."""
    desk = await console("inspector-almaty")
    broken = await desk.page.evaluate("""async () => {
        const { TEXTS } = await import("/console/texts.js");
        const complete = (forms) => forms.length === 3 && forms.every(Boolean);
        return Object.keys(TEXTS).filter((name) => !complete(TEXTS[name]));
    }""")
    assert broken == []


async def test_a_peer_that_is_away_is_a_state_of_its_own(
    console: OpenConsole, lonely_gateway: Any
) -> None:
    desk = await console("inspector-almaty", "fines", at=lonely_gateway)
    await expect(desk.page.locator(".state.failed button")).to_be_visible()
    await expect(desk.page.locator("h1")).to_have_text("Штрафы")


async def test_a_session_that_ended_keeps_what_was_typed(console: OpenConsole, cases: None) -> None:
    desk = await console("dispatcher-almaty", "reports")
    await desk.page.locator(".purpose").click()
    await desk.choose_purpose()
    await desk.row("report-1").click()
    await desk.is_ready("report-1", "route")
    await desk.press("KeyD")
    await desk.page.fill("#field-reason", "not ours")

    async def refuse(route: Any) -> None:
        body = '{"title": "Войдите снова.", "reason": "TOKEN_EXPIRED"}'
        await route.fulfill(status=401, content_type="application/problem+json", body=body)

    await desk.intercept("**/route", refuse)
    await desk.page.keyboard.press("Control+Enter")
    await expect(desk.page.locator("dialog[open] .refusal")).to_contain_text("Войдите снова")
    await expect(desk.page.locator("#field-reason")).to_have_value("not ours")


async def test_a_moved_clock_is_told_on_every_page_and_deadlines_are_counted_by_it(
    console: OpenConsole, cases: None, moved_gateway: Any
) -> None:
    due = system_clock() + dt.timedelta(days=100, hours=1)
    moved_gateway.asked.reports["report-9"] = a_report("report-9", due)
    desk = await console("dispatcher-almaty", "reports", at=moved_gateway)
    notice = desk.page.locator("#notices [data-code=CLOCK_MOVED]")
    await expect(notice).to_contain_text("часы переведены")
    await expect(desk.row("report-9")).to_contain_text("осталось 10 дн")
    await desk.page.get_by_role("button", name="Выйти").click()
    await expect(desk.page.locator("#operator")).to_be_visible()
    await desk.page.select_option("#language", "kk")
    await expect(notice).to_contain_text("сағат жылжытылған")


async def reports(desk: Console) -> None:
    await desk.row("report-3").click()
    await desk.choose_purpose()
    await desk.is_ready("report-3", "take")
    await expect(desk.page.locator(".case canvas")).to_have_count(1)


async def review(desk: Console) -> None:
    await desk.row("violation-1").click()
    await desk.choose_purpose()
    await desk.is_ready("violation-1", "confirm")
    await desk.page.locator("summary").click()


async def one_fine(desk: Console) -> None:
    await desk.page.locator("td button").first.click()
    await desk.choose_purpose()
    await expect(desk.page.locator(".case[data-state=shown]")).to_be_visible()


async def writing(desk: Console) -> None:
    await reports(desk)
    await desk.press("KeyD")
    await desk.page.wait_for_selector("dialog[open] input")


async def choosing(desk: Console) -> None:
    await desk.page.locator(".purpose").click()
    await desk.page.wait_for_selector("dialog[open]")


async def as_it_is(desk: Console) -> None:
    pass


@pytest.mark.skipif(Axe is None, reason="left out: no axe")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("operator", "tab", "prepare"),
    [
        ("inspector-almaty", "violations", as_it_is),
        ("inspector-almaty", "violations", review),
        ("inspector-almaty", "violations", choosing),
        ("dispatcher-almaty", "reports", reports),
        ("dispatcher-almaty", "reports", writing),
        ("inspector-almaty", "fines", one_fine),
        ("inspector-almaty", "cameras", as_it_is),
        ("inspector-almaty", "live", as_it_is),
    ],
)
async def test_pages_are_accessible(
    console: OpenConsole, cases: None, operator: str, tab: str, prepare: Any, scheme: Any
) -> None:
    desk = await console(operator, tab)
    await desk.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await prepare(desk)
    assert await found_by_axe(desk.page) == []


@pytest.mark.skipif(Axe is None, reason="left out: no axe")
async def test_pages_without_anything_are_accessible(
    console: OpenConsole, lonely_gateway: Any
) -> None:
    desk = await console("inspector-almaty", "violations", at=lonely_gateway)
    await expect(desk.page.locator(".list .state")).to_contain_text("Очередь пуста")
    assert await found_by_axe(desk.page) == []
    await desk.page.keyboard.press("2")
    await expect(desk.page.locator(".state.failed")).to_be_visible()
    assert await found_by_axe(desk.page) == []
    await desk.page.get_by_role("button", name="Выйти").click()
    await expect(desk.page.locator("#operator")).to_be_visible()
    assert await found_by_axe(desk.page) == []
    await desk.page.goto(f"{lonely_gateway.url}/v1/docs")
    await expect(desk.page.locator("details").first).to_be_visible()
    assert await found_by_axe(desk.page) == []


async def found_by_axe(page: Any) -> list[str]:
    found = await Axe().run(page)
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:200]}"
        for one in found.response["violations"]
    ]
