"""The console over the whole mesh: real canonical bytes, real facts, real pictures.

Left out where Debian's Chromium or playwright is not present.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tartip.reports.v1 import reports_pb2 as reports
from tartip_cli.clients.journeys import FrameToTenge, wait_for
from tartip_testing.mesh import RunningTestMesh

try:
    from playwright.async_api import async_playwright, expect
except ImportError:
    async_playwright = expect = None  # type: ignore[assignment]

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.mesh,
    pytest.mark.skipif(CHROMIUM is None, reason="left out: no chromium"),
    pytest.mark.skipif(async_playwright is None, reason="left out: no playwright"),
]
# Three times the two seconds that are promised.
PROMISE_MS = 6000
PATIENCE_MS = 30_000
OpenConsole = Callable[..., Awaitable[Any]]


@pytest.fixture
async def console(mesh: RunningTestMesh) -> AsyncIterator[OpenConsole]:
    """`await console("inspector-almaty", "violations")`: the operator's page, a purpose chosen."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        async def open_as(operator: str, tab: str, purpose: str = "Шағымды тексеру № 12") -> Any:
            page = await browser.new_page(locale="ru-RU", viewport={"width": 1280, "height": 900})
            await page.goto(f"{mesh.gateway_url}/#{tab}")
            await page.select_option("#operator", operator)
            await page.keyboard.press("Enter")
            await page.wait_for_selector("nav [aria-current=page]")
            await page.wait_for_selector("main h1:not(.unseen)")
            await page.locator(".purpose").click()
            await page.fill("#own-text", purpose)
            await page.keyboard.press("Enter")
            return page

        yield open_as
        await browser.close()


async def pick(page: Any, case_id: str, action: str) -> None:
    """Opens a case of the list, and waits until this may be done with it."""
    row = page.locator(f"[role=option][data-id='{case_id}']")
    while not await row.count():
        await page.locator(".after button").click(timeout=PATIENCE_MS)
    await row.click()
    await expect(
        page.locator(f".case[data-case-id='{case_id}'] [data-action={action}]")
    ).to_be_enabled(timeout=PATIENCE_MS)


async def in_review(journey: FrameToTenge) -> str:
    """The violation of a frame that is sent now."""
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    return str(found.body["violation_id"])


async def test_a_violation_is_confirmed_in_the_browser_and_becomes_a_fine(
    new_frame: Any, console: OpenConsole, mesh: RunningTestMesh
) -> None:
    """What the officer sees is what the owner asks to sign, field by field."""
    journey, vehicle = new_frame()
    violation_id = await in_review(journey)
    page = await console("inspector-almaty", "violations")
    pair = mesh.certificates.officer("inspector-almaty")
    await page.set_input_files("input[type=file]", [pair.certificate, pair.key])
    await pick(page, violation_id, "confirm")
    assert vehicle.plate in await page.locator(".case").inner_text()
    await page.keyboard.press("c")
    await expect(page.locator(".decided")).to_contain_text("inspector-almaty", timeout=PATIENCE_MS)
    fine = await wait_for("the fine", lambda: journey.find_fine(violation_id))
    assert fine.body["state"] == "delivered" and not fine.body["hold_reason"]


async def test_a_case_decided_elsewhere_says_by_whom_and_closes(
    new_frame: Any, console: OpenConsole
) -> None:
    journey, _ = new_frame()
    violation_id = await in_review(journey)
    page = await console("inspector-almaty", "violations")
    await pick(page, violation_id, "confirm")
    await journey.decide(violation_id, "reject", "not this car")
    await expect(page.locator(".decided")).to_contain_text("not this car", timeout=PROMISE_MS)
    assert await page.locator(".case [data-action=confirm]").count() == 0


async def test_an_emergency_from_a_banks_app_appears_by_itself(
    new_report: Any, console: OpenConsole
) -> None:
    page = await console("dispatcher-almaty", "reports")
    await expect(page.locator("#alarm .calling, #alarm button").first).to_be_visible()
    before = number_in(await page.title())
    journey = new_report(reports.CATEGORY_ROAD_ACCIDENT)
    await journey.open()
    await journey.upload()
    await journey.submit()
    row = page.locator(f"[role=option][data-id='{journey.report_id}']")
    await expect(row).to_be_visible(timeout=PROMISE_MS)
    await expect(page).to_have_title(f"({before + 1}) Tartip", timeout=PROMISE_MS)
    await pick(page, journey.report_id, "take")
    await page.keyboard.press("t")
    await expect(page.locator(".case .facts")).to_contain_text("у вас", timeout=PATIENCE_MS)
    await expect(page).to_have_title(f"({before}) Tartip" if before else "Tartip")


async def test_a_report_is_answered_in_the_browser_and_its_reporter_reads_it(
    new_report: Any, console: OpenConsole
) -> None:
    journey = new_report()
    await journey.open()
    await journey.upload()
    await journey.submit()
    await wait_for("the report", journey.find_on_desk)
    page = await console("dispatcher-almaty", "reports")
    await pick(page, journey.report_id, "take")
    await expect(page.locator(".case canvas")).to_be_visible(timeout=PATIENCE_MS)
    await page.keyboard.press("t")
    await expect(page.locator(".case [data-action=answer]")).to_be_enabled(timeout=PATIENCE_MS)
    await page.keyboard.press("a")
    await page.fill("dialog[open] textarea", "Меры приняты.")
    await page.select_option("dialog[open] select", "measures_taken")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".case")).to_contain_text("Меры приняты.", timeout=PATIENCE_MS)
    assert (await journey.report()).answer == "Меры приняты."


def number_in(title: str) -> int:
    found = re.match(r"\((\d+)\)", title)
    return int(found[1]) if found else 0
