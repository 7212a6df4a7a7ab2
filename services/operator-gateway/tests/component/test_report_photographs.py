"""Photographs and films of a report at the desk, in a real browser: photographs and first frames of
films blurred at first, and clear for those who may open them."""

import os
from datetime import timedelta
from typing import Any

import httpx
import pytest
from chassis.clock import system_clock
from tartip.reports.v1 import reports_pb2 as pb

from .browser import Console, OpenConsole, expect, needs_chromium
from .peers import BLURRED_SHA, PHOTOGRAPH_SHA
from .report_peer import a_report
from .test_report_desk import at_desk

pytestmark = needs_chromium


@pytest.fixture
def pictured_report(gateway: Any, console: OpenConsole) -> pb.DeskReport:
    """One with a photograph and a film."""
    report = a_report("report-1", system_clock() + timedelta(hours=1))
    photograph = report.media.add(media_id="media-1", content_type="image/heic")
    photograph.evidence_sha256 = photograph.shown_sha256 = PHOTOGRAPH_SHA
    photograph.blurred_sha256 = BLURRED_SHA
    film = report.media.add(media_id="media-2", content_type="video/mp4")
    film.evidence_sha256 = film.shown_sha256 = "0f" * 32
    gateway.asked.reports["report-1"] = report
    return report


async def pictured(desk: Console, name: str) -> None:
    """Keep a picture of the page where TARTIP_PICTURES names a folder for it."""
    if folder := os.environ.get("TARTIP_PICTURES"):
        await desk.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


async def opened(console: OpenConsole) -> tuple[Console, Any, Any]:
    """The page of the report, and what it shows of the photograph and of the film."""
    desk = await at_desk(console)
    await desk.row("report-1").first.click()
    await desk.is_ready("report-1", "take")
    return desk, *(desk.page.locator(f"[data-media={name}]") for name in ("media-1", "media-2"))


async def test_a_photograph_is_blurred_until_the_assigned_officer_opens_the_clear_one(
    console: OpenConsole, pictured_report: pb.DeskReport
) -> None:
    desk, photograph, film = await opened(console)
    await expect(photograph).to_have_attribute("data-form", "blurred")
    await expect(photograph.locator("canvas")).to_have_count(1)
    await expect(photograph).to_contain_text("люди и номера скрыты")
    await expect(photograph.locator("[data-clear]")).to_have_count(0)
    await expect(film).to_contain_text("открывают сотрудник, которому поручено")
    await pictured(desk, "blurred")
    asked = desk.asked.of(pb.OpenEvidenceRequest)
    assert [(one.media_id, one.blurred, one.first_frame) for one in asked] == [
        ("media-1", True, False),
        ("media-2", True, True),
    ]
    await desk.button("take").click()
    await photograph.locator("[data-clear]").click()
    await expect(photograph).to_have_attribute("data-form", "clean")
    await expect(photograph).to_contain_text("Чёткая копия")
    await pictured(desk, "clear")
    await photograph.get_by_role("button", name="Показать размытую").click()
    await expect(photograph).to_have_attribute("data-form", "blurred")


async def test_a_blurred_copy_that_is_being_made_appears_by_itself(
    console: OpenConsole, pictured_report: pb.DeskReport
) -> None:
    pictured_report.media[0].blurred_sha256 = ""
    desk, photograph, _ = await opened(console)
    await expect(photograph).to_contain_text("готовится")
    assert await photograph.locator("canvas, [data-clear]").count() == 0
    await pictured(desk, "pending")
    pictured_report.media[0].blurred_sha256 = BLURRED_SHA
    await expect(photograph.locator("canvas")).to_have_count(1, timeout=10_000)


async def test_the_first_frame_of_a_film_is_shown_before_the_film(
    console: OpenConsole, pictured_report: pb.DeskReport
) -> None:
    item = pictured_report.media[1]
    arrived, item.evidence_sha256, item.shown_sha256 = item.evidence_sha256, "", ""
    item.first_frame_sha256, item.blurred_sha256 = PHOTOGRAPH_SHA, BLURRED_SHA
    desk, _, film = await opened(console)
    await expect(film.locator("canvas")).to_have_count(1)
    await expect(film).to_contain_text("Первый кадр фильма. Размытая копия")
    await expect(film.locator("[data-clear]")).to_have_count(0)
    await pictured(desk, "first-frame")
    await desk.button("take").click()
    await film.get_by_role("button", name="Открыть фильм").click()
    await expect(film).to_contain_text("Первый кадр фильма. Чёткая копия. Файл ещё в пути…")
    await pictured(desk, "first-frame-clear")
    item.evidence_sha256 = item.shown_sha256 = arrived
    item.shown_sha256 = PHOTOGRAPH_SHA
    await film.get_by_role("button", name="Открыть фильм").click()
    await expect(film.get_by_role("button", name="Показать размытую")).to_have_count(1)
    asked = [one for one in desk.asked.of(pb.OpenEvidenceRequest) if one.media_id == "media-2"]
    assert [(one.blurred, one.first_frame) for one in asked] == [
        *((True, True), (True, True), (False, False), (False, True)),
        (False, False),
    ]


async def test_a_file_that_is_being_stored_appears_by_itself(
    console: OpenConsole, pictured_report: pb.DeskReport
) -> None:
    photograph_item = pictured_report.media[0]
    photograph_item.evidence_sha256 = ""
    _, photograph, _ = await opened(console)
    await expect(photograph).to_contain_text("ещё в пути")
    photograph_item.evidence_sha256 = PHOTOGRAPH_SHA
    await expect(photograph.locator("canvas")).to_have_count(1, timeout=10_000)


async def test_the_answer_says_which_form_it_is(
    gateway: Any, pictured_report: pb.DeskReport
) -> None:
    headers = gateway.headers("dispatcher-almaty", **{"Tartip-Purpose": "test"})
    path = f"{gateway.url}/v1/reports/report-1/media/media-1"
    pictured_report.opens_clean = True
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        answers = [await client.get(path + query) for query in ("", "?blurred=true")]
        assert [one.headers["Tartip-Form"] for one in answers] == ["clean", "blurred"]
        assert [one.headers["Tartip-Sha256"] for one in answers] == [PHOTOGRAPH_SHA, BLURRED_SHA]
        pictured_report.media[0].blurred_sha256 = ""
        refused = await client.get(path, params={"blurred": "true"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "MEDIA_NOT_BLURRED_YET")
