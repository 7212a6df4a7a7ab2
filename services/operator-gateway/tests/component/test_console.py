"""The console in a real browser: an inspector decides by keyboard, and the browser signs.

Left out where Debian's Chromium or playwright is not present.
"""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

playwright = pytest.importorskip("playwright.async_api", reason="left out: no playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(CHROMIUM is None, reason="left out: no chromium"),
]
QUEUE = ["violation-1", "violation-2", "violation-3"]


@pytest_asyncio.fixture(loop_scope="session")
async def page(gateway: Any) -> AsyncIterator[Any]:
    """A signed-in inspector's page; what the browser complains of fails the test."""
    gateway.asked.queue[:] = QUEUE
    complaints: list[str] = []
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(locale="kk-KZ")
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda said: complaints.append(said.text) if "Policy" in said.text else None
        )
        await page.goto(gateway.url)
        await page.select_option("#operator", "inspector-almaty")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".row")
        yield page
        await browser.close()
    gateway.asked.queue.clear()
    assert complaints == []


async def test_an_inspector_confirms_and_rejects_by_keyboard(gateway: Any, page: Any) -> None:
    pair = gateway.engines.certificates.officer("inspector-almaty")
    await page.set_input_files("input[type=file]", [pair.certificate, pair.key])
    await page.wait_for_selector("text=Кілт дайын")
    await page.keyboard.press("j")
    await page.keyboard.press("c")
    await playwright.expect(page.locator(".row")).to_have_count(2)
    _check(gateway, "violation-2", b"1 violation-2 ")
    await page.keyboard.press("k")
    await page.keyboard.press("r")
    await page.wait_for_selector("dialog[open] textarea")
    await page.keyboard.type("not readable; j c")
    await page.keyboard.press("Control+Enter")
    await playwright.expect(page.locator(".row")).to_have_count(1)
    _check(gateway, "violation-1", b"2 violation-1 not readable; j c")


def _check(gateway: Any, violation_id: str, canonical: bytes) -> None:
    """What arrived is signed by the officer's key over exactly the prepared bytes."""
    decision = next(
        asked for asked in reversed(gateway.asked.requests) if hasattr(asked, "signature")
    )
    assert (decision.violation_id, decision.canonical) == (violation_id, canonical)
    key = x509.load_pem_x509_certificate(decision.certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(decision.signature, decision.canonical, ec.ECDSA(hashes.SHA256()))


async def test_without_a_key_nothing_is_decided(gateway: Any, page: Any) -> None:
    before = len(gateway.asked.requests)
    await page.wait_for_selector("dl.facts")
    await page.keyboard.press("c")
    await page.wait_for_selector("#notice.bad")
    assert not any(hasattr(asked, "signature") for asked in gateway.asked.requests[before:])


async def test_the_page_speaks_three_languages(page: Any) -> None:
    for language, title in (("kk", "Бұзушылықтар"), ("ru", "Нарушения"), ("en", "Violations")):
        await page.select_option("#language", language)
        await page.wait_for_selector(f"h1:text-is('{title}')")


async def test_a_peer_that_is_away_is_a_state_of_its_own(page: Any) -> None:
    await page.keyboard.press("2")  # fines does not run here
    await page.wait_for_selector(".state.failed button")


async def test_the_signature_is_der_for_every_sign_of_its_numbers(page: Any) -> None:
    """Leading zeros go, and a number whose first bit is set gets one."""
    found = await page.evaluate("""async () => {
        const { der } = await import("/console/signing.js");
        const raw = new Uint8Array(64);
        raw[31] = 0x80; raw[62] = 0x01; raw[63] = 0x02;
        return [...der(raw)];
    }""")
    assert found == [0x30, 8, 2, 2, 0, 0x80, 2, 2, 1, 2]
