"""Questions about cameras over gRPC: areas, words, order, the nearest; whose page a token is."""

import asyncio
from typing import Any

import asyncpg
import pytest
from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2
from tartip_testing.paging import assert_token_is_bound

from .conftest import SCHEMA
from .test_register import As, Describe, Register, place, refused
from .test_versions import upgrade

BOX = pb.Box(south=49.7, west=73.0, north=49.9, east=73.2)
RING = pb.Polygon(
    points=[
        pb.Point(latitude=49.7, longitude=73.0),
        pb.Point(latitude=49.9, longitude=73.0),
        pb.Point(latitude=49.9, longitude=73.2),
    ]
)
BOW = pb.Polygon(points=[*RING.points, pb.Point(latitude=49.7, longitude=73.2)])
BOW.points[2].latitude, BOW.points[3].latitude = 49.7, 49.9


@pytest.mark.parametrize(
    ("query", "other"),
    [
        ({"box": BOX}, {"box": pb.Box(south=49.7, west=73.0, north=49.9, east=73.21)}),
        ({"polygon": RING}, {"box": BOX}),
        ({"text": "вокзал"}, {"text": "вокзалы"}),
        ({"kato_prefix": "351"}, {"kato_prefix": "35"}),
        ({"order": pb.CAMERA_ORDER_NAME}, {}),
        ({"owner_bin": "100140000003"}, {"owner_bin": "100140000003", "text": "вокзал"}),
        (
            {"site_category": pb.SITE_CATEGORY_STRATEGIC},
            {"site_category": pb.SITE_CATEGORY_STRATEGIC, "with_retired": True},
        ),
    ],
)
async def test_a_page_token_is_for_the_question_that_was_asked(
    administrator: Any,
    as_: As,
    register: Register,
    describe: Describe,
    query: dict[str, Any],
    other: dict[str, Any],
) -> None:
    for number in range(3):
        spot = place(
            latitude=49.801 + number / 1000, longitude=73.1, region="KZ-35", kato="351010000"
        )
        site = {"site": "Вокзал", "site_category": pb.SITE_CATEGORY_STRATEGIC}
        await register(describe(name=f"Перрон {number}", place=spot, **site))
    inspector = as_("operator-gateway", operator="inspector-almaty")
    await assert_token_is_bound(
        lambda asked: administrator.call("ListCameras", asked),
        pb.ListCamerasRequest(region="KZ-35", **query),
        by_others=lambda asked: inspector.call("ListCameras", asked),
        other_query=pb.ListCamerasRequest(region="KZ-35", **other),
    )


async def test_a_list_by_name_goes_through_all_pages(
    administrator: Any, register: Register, describe: Describe
) -> None:
    names = ["Абай", "Әуезов", "Қонаев", "Үлы"]
    for name in reversed(names):
        await register(
            describe(
                name=name,
                place=place(region="KZ-59", latitude=54.87, longitude=69.15),
                owner_bin="100140000003",
            )
        )
    seen: list[str] = []
    token = ""
    while len(seen) < 10:
        page = common_pb2.Page(size=1, token=token)
        request = pb.ListCamerasRequest(region="KZ-59", order=pb.CAMERA_ORDER_NAME, page=page)
        answer = await administrator.call("ListCameras", request)
        seen += [camera.description.name for camera in answer.cameras]
        token = answer.next_page_token
        if not token:
            break
    assert seen == names


async def test_the_nearest_cameras_come_with_their_distances(
    administrator: Any, register: Register, describe: Describe
) -> None:
    spots = [place(latitude=47.1, longitude=51.9 + each, region="KZ-23") for each in (0.0, 0.001)]
    near, far = [await register(describe(place=spot)) for spot in spots]
    request = pb.FindNearestCamerasRequest(latitude=47.1, longitude=51.9, count=2)
    found = (await administrator.call("FindNearestCameras", request)).cameras
    assert [each.camera.camera_id for each in found] == [near.camera_id, far.camera_id]
    assert found[0].distance_metres == 0
    assert 75 < found[1].distance_metres < 76


async def test_questions_that_cannot_be_answered_are_refused_by_name(administrator: Any) -> None:
    crossing = pb.ListCamerasRequest(polygon=BOW)
    assert (await refused(administrator.call("ListCameras", crossing))).code == "POLYGON_CROSSES"
    nowhere = pb.FindNearestCamerasRequest(latitude=91, longitude=181, count=51, kind=99)  # type: ignore[arg-type]
    wrong = await refused(administrator.call("FindNearestCameras", nowhere))
    assert {each.field for each in wrong.fields} == {"latitude", "longitude", "count", "kind"}
    token = common_pb2.Page(token=str(new_id()))
    made_up = pb.ListCamerasRequest(box=BOX, page=token)
    assert (await refused(administrator.call("ListCameras", made_up))).code == "PAGE_TOKEN_WRONG"


def test_cameras_of_before_have_their_words_and_their_place_among_names(
    empty_database: Any,
) -> None:
    upgrade(empty_database.owner, "0001")

    async def run(statement: str) -> list[Any]:
        connection = await asyncpg.connect(empty_database.provisioner)
        await connection.execute(f"SET search_path = {SCHEMA}")
        rows = await connection.fetch(statement)
        await connection.close()
        return [tuple(row) for row in rows]

    old = (
        "INSERT INTO cameras VALUES ('{0}', 'KZ-75', '{1}', 43, 76, 'Абай, 7', 'ANPR', '{1}', '',"
        " '', 0, '', true, '{{}}', '[]', '', '', 0, 600, 'UNKNOWN', now(), null, 5, now())"
    )
    names = {name: new_id() for name in ("Үлы", "Абай", "Қонаев")}
    for name, camera_id in names.items():
        asyncio.run(run(old.format(camera_id, name)))
    empty_database.migrate()
    in_order = asyncio.run(run("SELECT name FROM cameras ORDER BY name_order"))
    assert in_order == [("Абай",), ("Қонаев",), ("Үлы",)]
    words = asyncio.run(run("SELECT region, word, camera_id FROM camera_words"))
    expected = {("KZ-75", word, each) for each in names.values() for word in ("7", "абай")}
    expected |= {("KZ-75", name.lower(), camera_id) for name, camera_id in names.items()}
    assert set(words) == expected and len(words) == len(expected)
