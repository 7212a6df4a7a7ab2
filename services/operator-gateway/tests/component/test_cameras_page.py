"""The page of cameras: numbers, map, list and card, in a real browser."""

import random
from importlib.util import find_spec
from typing import Any

import pytest
from tartip.cameras.v1 import cameras_pb2

from .browser import Console, OpenConsole, expect, needs_chromium
from .map_peer import a_camera
from .test_shell import found_by_axe

pytestmark = needs_chromium
STATUSES = (
    cameras_pb2.CAMERA_STATUS_ONLINE,
    cameras_pb2.CAMERA_STATUS_OFFLINE,
    cameras_pb2.CAMERA_STATUS_UNKNOWN,
    cameras_pb2.CAMERA_STATUS_DEGRADED,
    cameras_pb2.CAMERA_STATUS_TAMPERED,
)


@pytest.fixture
def cameras(gateway: Any, console: OpenConsole) -> list[cameras_pb2.Camera]:
    """Sixty in Almaty, of which the last two hang on one pole, and one by itself in Astana."""
    draw = random.Random(7)
    made = [
        a_camera(
            43.238 + draw.uniform(-0.05, 0.05),
            76.9 + draw.uniform(-0.07, 0.07),
            name=f"Абай {number}",
            status=draw.choice(STATUSES[: 2 + number % 4]),
        )
        for number in range(58)
    ]
    made += [a_camera(43.2, 76.8, name=name) for name in ("Пост А", "Пост Б")]
    alone = a_camera(
        51.1282,
        71.4304,
        name="Бәйтерек",
        status=cameras_pb2.CAMERA_STATUS_DEGRADED,
        status_reason=cameras_pb2.CAMERA_STATUS_REASON_CLOCK_OFF,
        kind=cameras_pb2.CAMERA_KIND_OVERVIEW,
    )
    alone.description.place.region = "KZ-71"
    made.append(alone)
    gateway.asked.cameras.update((each.camera_id, each) for each in made)
    return made


def marks(desk: Console) -> Any:
    return desk.page.locator(".map .pin")


async def total(desk: Console) -> int:
    return int(
        await desk.page.evaluate(
            "[...document.querySelectorAll('.pin')]"
            ".reduce((sum, pin) => sum + Number(pin.dataset.count), 0)"
        )
    )


async def page_of(console: OpenConsole, **options: Any) -> Console:
    desk = await console("inspector-almaty", "cameras", **options)
    await expect(desk.page.locator(".regions path")).to_have_count(20)
    return desk


async def shows(desk: Console, number: int) -> None:
    await expect(desk.page.locator(".legend [role=status]")).to_have_text(f"Показано: {number}")
    assert await total(desk) == number


async def test_a_click_on_a_cluster_comes_closer_until_a_camera_opens(
    console: OpenConsole, cameras: list[cameras_pb2.Camera]
) -> None:
    desk = await page_of(console)
    await shows(desk, 60)  # the operator's own region
    await desk.page.get_by_role("button", name="Вся страна").click()
    await shows(desk, 61)
    picture, alone = desk.page.locator(".picture"), cameras[-1].camera_id
    zoom = await picture.get_attribute("data-zoom")
    await marks(desk).first.click()
    await expect(picture).not_to_have_attribute("data-zoom", str(zoom))
    await desk.page.select_option("select[aria-label='Любой вид']", "overview")
    await desk.page.get_by_role("button", name="Вся страна").click()
    await shows(desk, 1)
    await desk.page.locator(f".pin[data-id='{alone}']").click()
    await desk.is_open(alone)
    card = desk.page.locator(".case")
    for text in ("Бәйтерек", "Ненадёжна", "часы идут неверно", "обзорная", "Астана", "Версия 3"):
        await expect(card).to_contain_text(text)
    await expect(card).to_contain_text("Состояние на 18.11.2026")
    await expect(card.locator(".versions")).to_contain_text("адрес")
    assert "" not in await card.locator("dd").all_inner_texts(), "what is not known is left out"
    await expect(desk.page.locator(f".pin.chosen[data-id='{alone}']")).to_have_count(1)


async def test_the_map_is_moved_by_mouse_and_wheel_and_asks_for_what_it_shows(
    console: OpenConsole, cameras: list[cameras_pb2.Camera]
) -> None:
    desk = await page_of(console)
    await shows(desk, 60)
    desk.asked.requests.clear()
    frame = await desk.page.locator(".picture").bounding_box()
    assert frame is not None
    middle = (frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    await desk.page.mouse.move(*middle)
    await desk.page.mouse.down()
    await desk.page.mouse.move(middle[0] - 150, middle[1], steps=3)
    await desk.page.mouse.move(middle[0] - 2000, middle[1], steps=3)
    await desk.page.mouse.up()
    await expect(desk.page.locator(".legend [role=status]")).to_have_text("Здесь таких камер нет")
    await desk.page.mouse.move(*middle)
    for _ in range(3):
        await desk.page.mouse.wheel(0, 100)
    await shows(desk, 60)
    boxes = [each.box for each in desk.asked.of(cameras_pb2.CountCamerasOnMapRequest)]
    assert boxes[0].west > 77 > boxes[-1].west


async def test_cameras_of_one_pole_are_listed(
    console: OpenConsole, cameras: list[cameras_pb2.Camera]
) -> None:
    desk = await page_of(console)
    await desk.page.fill("input[type=search]", "пост")
    rows = desk.page.locator(".row")
    await expect(rows).to_have_count(2)
    await rows.first.click()
    await desk.is_open(cameras[58].camera_id)
    await desk.page.get_by_role("button", name="Показать на карте").click()
    await desk.page.fill("input[type=search]", "")
    await shows(desk, 2)
    await expect(marks(desk)).to_have_class("pin many chosen")
    await marks(desk).click()
    await expect(desk.page.locator(".notes button")).to_have_text("Только в этом месте ✕")
    await expect(rows).to_have_count(2)
    await desk.page.locator(".notes button").click()
    await expect(rows).to_have_count(50)
    await desk.page.locator(".after button").first.click()
    await expect(rows).to_have_count(61)


async def test_the_list_is_narrowed_by_text_status_and_region(
    console: OpenConsole, cameras: list[cameras_pb2.Camera]
) -> None:
    desk = await page_of(console)
    await desk.page.fill("input[type=search]", "абай 1")
    await expect(desk.page.locator(".row")).to_have_count(11)
    await desk.page.select_option("select[aria-label='Любое состояние']", "offline")
    found = [each for each in cameras if each.description.name.startswith("Абай 1")]
    offline = sum(each.status == cameras_pb2.CAMERA_STATUS_OFFLINE for each in found)
    await expect(desk.page.locator(".row")).to_have_count(offline)
    await desk.page.select_option("select[aria-label='Все регионы']", "KZ-75")
    await expect(desk.page.locator(".row")).to_have_count(offline)
    request = desk.asked.of(cameras_pb2.ListCamerasRequest)[-1]
    assert (request.text, request.region) == ("абай 1", "KZ-75")
    await desk.page.fill("input[type=search]", "нет такой")
    await expect(desk.page.locator(".list .state")).to_contain_text("Таких камер нет")


async def test_the_map_is_worked_from_the_keyboard(
    console: OpenConsole, cameras: list[cameras_pb2.Camera]
) -> None:
    desk = await page_of(console)
    await shows(desk, 60)
    picture = desk.page.locator(".picture")
    await picture.focus()
    zoom = float(await picture.get_attribute("data-zoom") or 0)
    await desk.page.keyboard.press("-")
    assert float(await picture.get_attribute("data-zoom") or 0) < zoom
    await desk.page.keyboard.press("Enter")
    await expect(marks(desk).first).to_be_focused()
    await desk.page.keyboard.press("Escape")
    await expect(picture).to_be_focused()


async def test_what_fails_says_so_in_its_place_and_the_rest_stays(
    console: OpenConsole, cameras: list[cameras_pb2.Camera]
) -> None:
    desk = await page_of(console)
    await shows(desk, 60)

    async def refuse(route: Any) -> None:
        body = '{"title": "Сервис не отвечает.", "reason": "UNAVAILABLE"}'
        await route.fulfill(status=503, content_type="application/problem+json", body=body)

    for path in ("map?*", "*/versions*"):
        await desk.intercept(f"**/v1/cameras/{path}", refuse)
    await desk.intercept("**/v1/statistics/cameras", refuse)
    await desk.page.get_by_role("button", name="Обновить").click()
    await expect(desk.page.locator(".map .failure")).to_contain_text("Сервис не отвечает")
    await expect(desk.page.locator(".numbers .failed")).to_contain_text("Сервис не отвечает")
    assert await total(desk) == 60
    await desk.page.locator(".row").first.click()
    await expect(desk.page.locator(".case .failed")).to_contain_text("Сервис не отвечает")
    await desk.page.unroute_all()
    for place in (".map .failure", ".numbers .failed", ".case .failed"):
        await desk.page.locator(f"{place} button").click()
        await expect(desk.page.locator(f"{place}:visible")).to_have_count(0)
    await expect(desk.page.locator(".tile")).to_have_count(8)


async def test_a_register_without_cameras_says_so(console: OpenConsole, gateway: Any) -> None:
    async def nothing(route: Any) -> None:
        await route.fulfill(
            json={"total": None, "regions": [], "cameras": [], "next_page_token": ""}
        )

    desk = await console("inspector-almaty")
    await desk.intercept("**/v1/statistics/cameras", nothing)
    await desk.intercept("**/v1/cameras?*", nothing)
    await desk.page.keyboard.press("3")
    await expect(desk.page.locator(".numbers .state")).to_contain_text("Камеры ещё не")
    await expect(desk.page.locator(".list .state")).to_contain_text("Таких камер нет")
    await expect(desk.page.locator(".legend [role=status]")).to_have_text("Здесь таких камер нет")


@pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="left out: no axe")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_is_accessible(
    console: OpenConsole, cameras: list[cameras_pb2.Camera], scheme: Any
) -> None:
    desk = await page_of(console)
    await desk.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await shows(desk, 60)
    await desk.page.locator(".row").first.click()
    await desk.is_open(cameras[0].camera_id)
    assert await found_by_axe(desk.page) == []
