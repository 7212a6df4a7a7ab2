"""WatchCameras: every change in order, none missed, none twice, in the regions of the caller."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest
from camera_registry.model.changes import (
    ChangeKind,
    Position,
    ResumeTokenTooOld,
    ResumeTokenWrong,
    Step,
)
from camera_registry.model.imports import Batch, Row
from camera_registry.storage import changes
from camera_registry.usecases.change_feed import ChangeFeed
from camera_registry.usecases.imports import Imports
from chassis.clock import new_id
from chassis.grpc_status import from_error
from chassis.identity import Caller, Operator
from chassis.transaction import SYSTEM
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .own_register import ADMINISTRATOR, OwnRegister

ASTANA = common_pb2.Place(latitude=51.17, longitude=71.45, region="KZ-71")
START = Position(1)
EVERYWHERE = Caller("service", "violations")
PLAIN = {"kind": pb.CAMERA_KIND_OVERVIEW, "functions": []}


def local(*regions: str) -> Caller:
    return Caller("service", "operator-gateway", Operator("one", frozenset({"inspector"}), regions))


async def placed(own: OwnRegister) -> None:
    while await changes.are_any_new(own.db):
        async with own.db.begin(SYSTEM) as tx:
            await changes.place_new(tx)


async def read(
    own: OwnRegister,
    *,
    after: Position = START,
    caller: Caller = EVERYWHERE,
    region: str = "",
    size: int = 1000,
) -> list[Step]:
    """All changes that have a position, in their order."""
    found: list[Step] = []
    while True:
        async with own.db.begin(caller.scope) as tx:
            part = await changes.after(tx, after, region, size)
        found += part.steps
        if part.following == after:
            return found
        after = part.following


def told(steps: list[Step]) -> list[tuple[UUID, int, ChangeKind]]:
    return [
        (step.change.camera_id, step.change.version, step.change.kind)
        for step in steps
        if step.change is not None
    ]


async def test_each_kind_of_change_is_told_in_order(own: OwnRegister) -> None:
    camera = await own.camera(**PLAIN)
    await own.change(camera, **PLAIN, name="Another")
    same = (await own.known(camera)).description.serial
    await own.change(camera, **PLAIN, name="Another", serial=same)  # changes nothing
    await own.beat(camera)
    await own.beat(camera)  # changes nothing
    await own.register.retire(camera, reason="", caller=ADMINISTRATOR)
    await placed(own)
    found = await read(own)
    assert told(found) == [
        (camera, 1, ChangeKind.REGISTERED),
        (camera, 2, ChangeKind.CHANGED),
        (camera, 2, ChangeKind.STATUS_CHANGED),
        (camera, 3, ChangeKind.RETIRED),
    ]
    statuses = [step.change.status.value for step in found if step.change]
    assert statuses == ["UNKNOWN", "UNKNOWN", "ONLINE", "RETIRED"]


async def test_a_transaction_that_commits_late_is_told_late_and_not_skipped(
    own: OwnRegister, scratch: Any
) -> None:
    slow = await own.camera(**PLAIN)
    await placed(own)
    begin = (await read(own))[-1].position
    async with transaction(scratch.provisioner) as late:
        await late.execute(TOUCH, slow)
        quick = await own.camera(**PLAIN)
        await placed(own)
        early = await read(own, after=begin)
        assert told(early) == [(quick, 1, ChangeKind.REGISTERED)]
    await placed(own)
    assert told(await read(own, after=early[-1].position)) == [(slow, 2, ChangeKind.CHANGED)]


async def test_changes_of_one_camera_stay_in_order_whatever_began_before(
    own: OwnRegister, scratch: Any
) -> None:
    """The second change is of the transaction that began first, and one between still runs."""
    camera, other = await own.camera(**PLAIN), await own.camera(**PLAIN)
    third = await own.camera(**PLAIN)
    await placed(own)
    begin = (await read(own))[-1].position
    async with transaction(scratch.provisioner) as between_runs:
        async with transaction(scratch.provisioner) as first:
            await first.execute(TOUCH, other)
            await between_runs.execute(TOUCH, third)
            async with transaction(scratch.provisioner) as second:
                await second.execute(TOUCH, camera)
            await first.execute(TOUCH, camera)
        await placed(own)
        found = [each for each in told(await read(own, after=begin)) if each[0] == camera]
    assert [version for _, version, _ in found] == [2, 3]


async def test_many_writers_at_once_are_told_once_each_in_the_order_of_versions(
    own: OwnRegister, scratch: Any
) -> None:
    cameras = [await own.camera(**PLAIN) for _ in range(4)]
    draw = random.Random(1)
    written: list[UUID] = []

    async def write() -> None:
        connection = await connected(scratch.provisioner)
        for _ in range(25):
            camera = draw.choice(cameras)
            async with connection.transaction():
                await connection.execute(TOUCH, camera)
                await asyncio.sleep(draw.random() / 500)
            written.append(camera)
        await connection.close()

    async def place() -> None:
        while True:
            await placed(own)
            await asyncio.sleep(0.002)

    placing = asyncio.ensure_future(place())
    await asyncio.gather(*(write() for _ in range(6)))
    placing.cancel()
    await placed(own)
    found = told(await read(own, size=7))
    for camera in cameras:
        versions = [version for each, version, _ in found if each == camera]
        assert versions == list(range(1, written.count(camera) + 2))


async def test_an_import_is_told_camera_by_camera_and_a_stream_goes_on_within_it(
    own: OwnRegister,
) -> None:
    rows = [Row(n, new_id(), own.description(**PLAIN), ()) for n in range(1, 31)]
    batch = Batch(new_id(), 1, tuple(rows), b"", False)
    await Imports(own.db).take(batch, ADMINISTRATOR)
    await Imports(own.db).take(batch, ADMINISTRATOR)
    await placed(own)
    whole = await read(own)
    assert sorted(told(whole)) == sorted((row.camera_id, 1, ChangeKind.REGISTERED) for row in rows)
    assert await read(own, after=whole[9].position) == whole[10:]
    assert await read(own, size=7) == whole


async def test_a_caller_is_told_of_the_regions_that_he_may_see(own: OwnRegister) -> None:
    almaty, astana = await own.camera(**PLAIN), await own.camera(**PLAIN, place=ASTANA)
    await placed(own)
    for caller, region, expected in (
        (EVERYWHERE, "", [almaty, astana]),
        (EVERYWHERE, "KZ-71", [astana]),
        (local("KZ-75", "KZ-71"), "", [almaty, astana]),
        (local("KZ-75"), "", [almaty]),
        (local("KZ-75"), "KZ-71", []),
        (local(), "", []),
    ):
        found = await read(own, caller=caller, region=region)
        assert [camera for camera, _, _ in told(found)] == expected, (caller, region)


async def test_row_security_hides_changes_of_other_regions(own: OwnRegister, scratch: Any) -> None:
    await own.camera(**PLAIN, place=ASTANA)
    connection = await asyncpg.connect(scratch.runtime)
    counted = []
    for regions in ('["KZ-75"]', '["KZ-71"]'):
        await connection.execute("SELECT set_config('app.regions', $1, false)", regions)
        counted.append(
            await connection.fetchval("SELECT count(*) FROM camera_registry.camera_changes")
        )
    await connection.close()
    assert counted == [0, 1]


async def test_a_camera_that_moves_is_told_once_to_those_who_watch_either_region(
    own: OwnRegister,
) -> None:
    camera = await own.camera(**PLAIN)
    await placed(own)
    begin = (await read(own))[-1].position
    await own.change(camera, **PLAIN, place=ASTANA)
    await placed(own)
    for caller, region, where in (
        (EVERYWHERE, "", "KZ-71"),
        (local("KZ-75", "KZ-71"), "", "KZ-71"),
        (local("KZ-71"), "", "KZ-71"),
        (local("KZ-75"), "", "KZ-75"),
        (EVERYWHERE, "KZ-75", "KZ-75"),
    ):
        [step] = await read(own, after=begin, caller=caller, region=region)
        assert step.change is not None
        assert (step.change.camera_id, step.change.region) == (camera, where)


async def test_changes_are_kept_for_seven_days(own: OwnRegister, scratch: Any) -> None:
    old, new = await own.camera(**PLAIN), await own.camera(**PLAIN)
    await placed(own)
    first, second = await read(own)
    connection = await asyncpg.connect(scratch.provisioner)
    await connection.execute(
        "UPDATE camera_registry.camera_change_sets SET changed_at = changed_at - $1::interval"
        " WHERE position = $2",
        changes.KEPT + timedelta(minutes=1),
        first.position.number,
    )
    async with own.db.begin(SYSTEM) as tx:
        assert await changes.forget_old(tx) == 1
    rows = await connection.fetch("SELECT camera_id FROM camera_registry.camera_changes")
    await connection.close()
    assert [row["camera_id"] for row in rows] == [new]
    with pytest.raises(ResumeTokenTooOld):
        await read(own, after=first.position)
    assert told(await read(own, after=Position(second.position.number)))[0][0] == new
    assert old != new


async def test_a_position_that_was_never_given_is_refused(own: OwnRegister) -> None:
    await own.camera(**PLAIN)
    await placed(own)
    assert await read(own, after=Position(2)) == []
    with pytest.raises(ResumeTokenWrong):
        await read(own, after=Position(3))


async def test_a_stream_goes_on_when_what_gives_positions_is_killed(own: OwnRegister) -> None:
    feed = ChangeFeed(own.db)
    polling = asyncio.ensure_future(feed.poll())
    placing = asyncio.ensure_future(feed.place())
    async with aclosing(feed.follow(None, "", EVERYWHERE)) as steps:
        begin = await anext(steps)
        cameras = [await own.camera(**PLAIN)]
        found = [await anext(steps)]
        placing.cancel()
        cameras.append(await own.camera(**PLAIN))
        placing = asyncio.ensure_future(ChangeFeed(own.db).place())
        found.append(await anext(steps))
    polling.cancel()
    placing.cancel()
    await asyncio.gather(polling, placing, return_exceptions=True)
    assert begin.change is None
    assert [camera for camera, _, _ in told(found)] == cameras
    assert await read(own, after=begin.position) == found


async def test_a_stream_without_changes_of_its_own_tells_newer_positions(own: OwnRegister) -> None:
    feed = ChangeFeed(own.db, token_seconds=0)
    polling = asyncio.ensure_future(feed.poll())
    async with aclosing(feed.follow(None, "", local("KZ-71"))) as steps:
        begin = await anext(steps)
        await own.camera(**PLAIN)
        await placed(own)
        newer = await anext(steps)
    polling.cancel()
    assert newer.change is None
    assert newer.position.number == begin.position.number + 1


async def test_the_stream_of_an_operator_ends(own: OwnRegister) -> None:
    feed = ChangeFeed(own.db, operator_seconds=0.01)
    async with aclosing(feed.follow(None, "", local("KZ-75"))) as steps:
        assert [step.change async for step in steps] == [None]


async def test_a_stream_over_grpc_goes_on_with_its_token(
    as_: Callable[..., Any], register: Callable[..., Awaitable[pb.Camera]]
) -> None:
    inspector = as_("operator-gateway", operator="inspector-almaty")
    async with watching(inspector, pb.WatchCamerasRequest()) as stream:
        begin = await stream.read()
        camera = await register()
        found = await stream.read()
    assert not begin.HasField("change")
    assert found.change.camera_id == camera.camera_id
    assert found.change.kind == pb.CAMERA_CHANGE_KIND_REGISTERED
    assert found.change.status == pb.CAMERA_STATUS_UNKNOWN
    assert found.change.version == 1
    again = pb.WatchCamerasRequest(resume_token=begin.resume_token)
    async with watching(inspector, again) as stream:
        assert (await stream.read()).change == found.change


async def test_a_token_of_another_stream_is_refused(as_: Callable[..., Any]) -> None:
    inspector = as_("operator-gateway", operator="inspector-almaty")
    async with watching(inspector, pb.WatchCamerasRequest()) as stream:
        token = (await stream.read()).resume_token
    listed = await inspector.call(
        "ListCameras", pb.ListCamerasRequest(page=common_pb2.Page(size=1))
    )
    swapped = token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
    for caller, request in (
        (as_("violations"), pb.WatchCamerasRequest(resume_token=token)),
        (inspector, pb.WatchCamerasRequest(resume_token=token, region="KZ-75")),
        (inspector, pb.WatchCamerasRequest(resume_token=swapped)),
        (inspector, pb.WatchCamerasRequest(resume_token="7")),
        (inspector, pb.WatchCamerasRequest(resume_token="ё")),
        (inspector, pb.WatchCamerasRequest(resume_token=listed.next_page_token or "x")),
    ):
        assert await refusal_of(caller, request) == "RESUME_TOKEN_WRONG"
    assert await refusal_of(inspector, pb.WatchCamerasRequest(region="KZ-00")) == "BAD_REQUEST"
    clerk = as_("operator-gateway", operator="finance-1")
    assert await refusal_of(clerk, pb.WatchCamerasRequest()) == "NOT_ALLOWED"


async def refusal_of(caller: Any, request: pb.WatchCamerasRequest) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with watching(caller, request) as stream:
            await stream.read()
    return from_error(caught.value).reason


@asynccontextmanager
async def watching(caller: Any, request: pb.WatchCamerasRequest) -> AsyncIterator[Any]:
    stream = caller.stub.WatchCameras(request, metadata=caller.metadata)
    yield stream
    stream.cancel()


TOUCH = "UPDATE camera_registry.cameras SET version = version + 1 WHERE camera_id = $1"


@asynccontextmanager
async def transaction(database: str) -> AsyncIterator[Any]:
    """A transaction of its own, committed at the end."""
    connection = await connected(database)
    async with connection.transaction():
        yield connection
    await connection.close()


async def connected(database: str) -> Any:
    return await asyncpg.connect(database, server_settings={"search_path": "camera_registry"})
