"""The console in Debian's Chromium, worked as an operator works it.

Left out where Chromium or playwright is not present.
"""

import asyncio
import shutil
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from tartip_testing.bounds import SOON_SECONDS

try:
    from playwright.async_api import async_playwright
    from playwright.async_api import expect as expect

    expect.set_options(timeout=1000 * SOON_SECONDS)
except ImportError:
    async_playwright = expect = None  # type: ignore[assignment]

CHROMIUM = shutil.which("chromium")
needs_chromium = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(CHROMIUM is None, reason="left out: no chromium"),
    pytest.mark.skipif(async_playwright is None, reason="left out: no playwright"),
]
# How long answers take where a test delays them, and how long it then waits to see that none came.
DELAY_SECONDS = 1.5
# The promise is two seconds; tests allow three times that.
PROMISE_MS = 6000
# What the keys of these places write on a Russian keyboard.
CYRILLIC = {
    "KeyA": "ф",
    "KeyC": "с",
    "KeyD": "в",
    "KeyE": "у",
    "KeyG": "п",
    "KeyI": "ш",
    "KeyJ": "о",
    "KeyK": "л",
    "KeyM": "ь",
    "KeyN": "т",
    "KeyQ": "й",
    "KeyR": "к",
    "KeyT": "е",
    "KeyU": "г",
    "Slash": ".",
}
# Asked by the page itself, until the answer is that of the test.
PROBE, PROBED = "/is-intercepted", "intercepted"
ASK = "async (path) => (await fetch(path)).text()"
# Counts what is started, and lets it sound.
HEARS_TONES = """
window.tones = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.tones += 1; start.apply(this, when); };
"""


class Console:
    """One operator's page."""

    def __init__(self, page: Any, gateway: Any) -> None:
        self.page = page
        self.gateway = gateway
        self.asked = gateway.asked
        self.purposes: list[str] = []
        page.on("request", self._note_purpose)

    def _note_purpose(self, request: Any) -> None:
        if "tartip-purpose" in request.headers:
            self.purposes.append(request.headers["tartip-purpose"])

    async def sign_in(self, operator: str, tab: str = "") -> None:
        await self.page.goto(self.gateway.url + (f"/#{tab}" if tab else ""))
        await self.page.select_option("#operator", operator)
        await self.page.keyboard.press("Enter")
        await self.is_loaded()

    async def is_loaded(self) -> None:
        """Waits until the operator is signed in and the tab has loaded."""
        await self.page.wait_for_selector("nav [aria-current=page]")
        await self.page.wait_for_selector("main h1:not(.unseen)")

    async def choose_purpose(self, own: str = "") -> None:
        """The first that is offered, or words of one's own."""
        await self.page.wait_for_selector("#choose[open]")
        if own:
            await self.page.fill("#own-text", own)
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("#choose[open]")).to_have_count(0)

    async def press(self, code: str, *, layout: str = "cyrillic", repeat: bool = False) -> None:
        """A real key, as a keyboard of this layout sends it."""
        key = CYRILLIC[code] if layout == "cyrillic" else code.removeprefix("Key").lower()
        session = await self.page.context.new_cdp_session(self.page)
        number = {"Slash": 191}.get(code) or ord(code[-1])
        press = {
            "type": "keyDown",
            "key": key,
            "code": code,
            "text": key,
            "autoRepeat": repeat,
            "windowsVirtualKeyCode": number,
        }
        await session.send("Input.dispatchKeyEvent", press)
        await session.send("Input.dispatchKeyEvent", press | {"type": "keyUp", "text": ""})
        await session.detach()

    async def intercept(
        self, pattern: str, handler: Callable[[Any], Any], *, times: int | None = None
    ) -> None:
        """Answer the page's requests that match by `handler`; all that are sent from now on. The
        browser says that it intercepts a moment before the page's requests are."""
        await self.page.route("**" + PROBE, lambda route: route.fulfill(body=PROBED))
        while await self.page.evaluate(ASK, PROBE) != PROBED:
            await asyncio.sleep(0.02)
        await self.page.route(pattern, handler, times=times)

    async def delay(self, pattern: str, seconds: float = DELAY_SECONDS) -> None:
        """Delays the answers to matching requests."""

        async def later(route: Any) -> None:
            await asyncio.sleep(seconds)
            await route.continue_()

        await self.intercept(pattern, later)

    async def hold(self, pattern: str) -> asyncio.Event:
        """The first answer to a match is made at once and sent when the event is set."""
        release = asyncio.Event()

        async def held(route: Any) -> None:
            answer = await route.fetch()
            await release.wait()
            await route.fulfill(response=answer)

        await self.intercept(pattern, held, times=1)
        return release

    def row(self, case_id: str) -> Any:
        return self.page.locator(f"[role=option][data-id='{case_id}']")

    async def is_open(self, case_id: str, state: str = "shown") -> None:
        panel = self.page.locator(f".case[data-case-id='{case_id}'][data-state='{state}']")
        await expect(panel).to_have_count(1, timeout=PROMISE_MS)

    async def is_ready(self, case_id: str, action: str) -> None:
        """The case stands there and this may be done with it."""
        await self.is_open(case_id)
        await expect(self.button(action)).to_be_enabled(timeout=PROMISE_MS)

    def button(self, action: str) -> Any:
        return self.page.locator(f".case [data-action={action}]")

    async def says(self, text: str) -> None:
        await expect(self.page.locator("#notice.shown")).to_contain_text(text)

    async def pick_key(self, operator: str = "inspector-almaty") -> None:
        pair = self.gateway.engines.certificates.officer(operator)
        await self.page.set_input_files("input[type=file]", [pair.certificate, pair.key])
        await expect(self.page.locator("button", has_text="✓")).to_have_count(1)

    def opened(self) -> list[str]:
        """Ids of the records that were opened, in the order of the requests."""
        return [
            getattr(request, "violation_id", "") or getattr(request, "report_id", "")
            for request in self.asked.requests
            if type(request).__name__ in ("GetViolationRequest", "ReportDeskGetReportRequest")
        ]

    def signed(self) -> list[Any]:
        return [request for request in self.asked.requests if hasattr(request, "signature")]


def decoded(purpose: str) -> str:
    return urllib.parse.unquote(purpose)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def chromium() -> AsyncIterator[Any]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=document-user-activation-required"],
        )
        yield browser
        await browser.close()


OpenConsole = Callable[..., Awaitable[Console]]


@pytest_asyncio.fixture(loop_scope="session")
async def console(chromium: Any, gateway: Any) -> AsyncIterator[OpenConsole]:
    """`await console("inspector-almaty", "violations")`; a page that complains fails its test."""
    gateway.asked.clear()
    complaints: list[str] = []
    contexts: list[Any] = []

    async def open_as(
        operator: str, tab: str = "", *, at: Any = gateway, locale: str = "ru-RU"
    ) -> Console:
        context = await chromium.new_context(locale=locale, viewport={"width": 1280, "height": 900})
        contexts.append(context)
        page = await context.new_page()
        await page.add_init_script(HEARS_TONES)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda said: complaints.append(said.text) if "Policy" in said.text else None
        )
        opened = Console(page, at)
        await opened.sign_in(operator, tab)
        return opened

    yield open_as
    for context in contexts:
        await context.close()
    gateway.asked.clear()
    assert complaints == []
