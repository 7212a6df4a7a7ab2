"""Many hubs at once, and hubs that are revoked, on a register of its own."""

import asyncio
from typing import Any

import asyncpg
import pytest
from camera_registry.consumers import read_report
from camera_registry.model.camera import INTERVAL
from camera_registry.model.status import CameraStatus
from camera_registry.usecases import watch as watching
from camera_registry.usecases.hubs import Hubs
from chassis.clock import new_id
from tartip.cameras.v1 import events_pb2
from tartip_cli.clients.hub_reports import ReportingHub

from .own_register import ADMINISTRATOR, WORKING, OwnRegister
from .test_watch import incident

UNKNOWN, ONLINE = CameraStatus.UNKNOWN, CameraStatus.ONLINE
SILENCE = 1.5 * INTERVAL


async def test_the_cameras_of_a_revoked_hub_are_unknown_and_its_reports_nobodys(
    own: OwnRegister,
) -> None:
    camera, hub = await own.camera(), own.hubs["KZ-75"]
    await own.beat(camera)
    await Hubs(own.db).revoke(hub.hub_id, reason="stolen", caller=ADMINISTRATOR)
    await own.judge(None)
    assert await own.reason(camera) == (UNKNOWN, "HUB_SILENT")
    assert own.reports.key_of(hub.hub_id) is None


async def test_a_revoked_hub_that_never_reported_was_never_heard(own: OwnRegister) -> None:
    hub = await own.hub()
    camera = await own.camera(hub_id=str(hub.hub_id))
    await own.judge(None)
    await Hubs(own.db).revoke(hub.hub_id, reason="", caller=ADMINISTRATOR)
    await own.judge(None)
    found = await Hubs(own.db).page("", is_silent=False, after=None, size=9, caller=ADMINISTRATOR)
    assert [each.heard_at for each in found if each.hub_id == hub.hub_id] == [None]
    assert await own.reason(camera) == (UNKNOWN, "")


async def test_many_hubs_are_followed_in_several_transactions(
    own: OwnRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CAMERAS_AT_ONCE", 1)
    hubs = [await own.hub() for _ in range(4)]
    cameras = [await own.camera(hub_id=str(hub.hub_id)) for hub in hubs]
    for hub, camera in zip(hubs, cameras, strict=True):
        await own.report(hub, {camera: WORKING})
    own.now += 2 * SILENCE
    await own.judge(own.start)
    assert [(await own.status(each))[0] for each in cameras] == [UNKNOWN] * 4


async def test_thousands_of_edge_boxes_are_followed_together(
    own: OwnRegister, scratch: Any
) -> None:
    """More than one statement has parameters for."""
    many = 6000
    connection = await asyncpg.connect(scratch.provisioner)
    boxes = [new_id() for _ in range(many)]
    await connection.execute(
        "INSERT INTO camera_registry.hubs (hub_id, region, name, kind, public_key, registered_at)"
        " SELECT hub_id, 'KZ-75', 'Box', 'EDGE_BOX', uuid_send(hub_id), now()"
        " FROM unnest($1::uuid[]) AS given(hub_id)",
        boxes,
    )
    own.reports = await own.watch.begin(own.lease)
    for hub_id in boxes:
        signed = events_pb2.SignedHubReport.FromString(
            ReportingHub(hub_id=hub_id, number=1).report({}, own.now)
        )
        own.reports.take(read_report(signed.report), own.now)
    await own.judge(None)
    stored = await connection.fetchval("SELECT count(*) FROM camera_registry.hub_life")
    await connection.close()
    assert stored == many


async def test_a_hub_that_was_revoked_while_nobody_looked_is_silent_too(own: OwnRegister) -> None:
    camera, hub = await own.camera(), own.hubs["KZ-75"]
    await own.beat(camera)
    await Hubs(own.db).revoke(hub.hub_id, reason="stolen", caller=ADMINISTRATOR)
    own.reports = await own.watch.begin(own.lease)
    await own.judge(None)
    assert await own.reason(camera) == (UNKNOWN, "HUB_SILENT")
    own.reports = await own.watch.begin(own.lease)
    assert hub.hub_id not in own.reports.hubs


async def test_an_incident_ends_when_its_hub_is_revoked(own: OwnRegister) -> None:
    await own.beat(await own.camera())
    own.now += 2 * SILENCE
    await own.judge(own.start - SILENCE)
    assert await incident(own)
    hub_id = own.hubs["KZ-75"].hub_id
    await Hubs(own.db).revoke(hub_id, reason="broken", caller=ADMINISTRATOR)
    await own.judge(own.start - SILENCE)
    await own.judge(own.start - SILENCE)
    assert await incident(own) is None


async def test_cameras_are_locked_in_one_order_whatever_their_hubs(
    own: OwnRegister, scratch: Any
) -> None:
    """So that an import, which locks them by id, and the watch never wait for each other."""
    one, other = await own.hub(), await own.hub()
    low, high = [await own.camera(hub_id=str(hub.hub_id)) for hub in (other, one)]
    await own.judge(None)
    own.reports.hubs = {each.hub_id: own.reports.hubs[each.hub_id] for each in (one, other)}
    for hub, camera in ((one, high), (other, low)):
        signed = events_pb2.SignedHubReport.FromString(hub.report({camera: WORKING}, own.now))
        own.reports.take(read_report(signed.report), own.now)
    lock = "SELECT FROM camera_registry.cameras WHERE camera_id = $1 FOR UPDATE"
    connection = await asyncpg.connect(scratch.provisioner)
    async with asyncio.TaskGroup() as group, connection.transaction():
        await connection.execute(lock, low)
        task = group.create_task(own.judge(None))
        while not await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        ):
            await asyncio.sleep(0.05)
        await connection.execute(lock, high)
    await task
    await connection.close()
    assert [(await own.status(each))[0] for each in (low, high)] == [ONLINE, ONLINE]
