"""Silence, on a register of its own: who is offline, who is unknown, and what brings them back."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from camera_registry.model.camera import SILENCE, CameraStatus
from camera_registry.storage.search import Filters
from camera_registry.usecases import watch as watching
from host.leases import LeaseLost

from .own_register import ADMINISTRATOR, OwnRegister

UNKNOWN, ONLINE, OFFLINE = CameraStatus.UNKNOWN, CameraStatus.ONLINE, CameraStatus.OFFLINE
SECOND = timedelta(seconds=1)


async def test_silence_through_a_whole_interval_of_listening_makes_a_camera_offline(
    own: OwnRegister,
) -> None:
    camera = await own.camera()
    await own.beat(camera)
    own.now = own.start + SILENCE
    await own.judge(own.start)
    assert await own.status(camera) == (ONLINE, own.start)
    own.now += SECOND
    await own.judge(own.start)
    assert await own.status(camera) == (OFFLINE, own.now)
    await own.beat(camera)
    assert await own.status(camera) == (ONLINE, own.now)


async def test_what_was_not_heard_of_while_we_were_deaf_is_unknown_as_of_its_last_sign(
    own: OwnRegister,
) -> None:
    camera, beating = await own.camera(), await own.camera()
    await own.beat(camera)
    own.now = own.start + SILENCE + SECOND
    await own.beat(beating)
    await own.judge(None)
    assert await own.status(camera) == (UNKNOWN, own.start)
    assert await own.status(beating) == (ONLINE, own.now)


async def test_unknown_becomes_offline_only_after_a_whole_interval_of_listening(
    own: OwnRegister,
) -> None:
    camera = await own.camera()
    await own.beat(camera)
    began = own.start + timedelta(hours=1)
    for listened, status in (
        (timedelta(0), UNKNOWN),
        (SILENCE - SECOND, UNKNOWN),
        (SILENCE, OFFLINE),
    ):
        own.now = began + listened
        await own.judge(began)
        assert (await own.status(camera))[0] is status


async def test_offline_is_unknown_too_once_we_were_deaf(own: OwnRegister) -> None:
    camera = await own.camera()
    await own.beat(camera)
    own.now = own.start + 2 * SILENCE
    await own.judge(own.start)
    offline_since = own.now
    own.now += timedelta(hours=1)
    await own.judge(own.now)
    assert await own.status(camera) == (UNKNOWN, offline_since)


async def test_a_camera_never_heard_of_stays_unknown(own: OwnRegister) -> None:
    camera = await own.camera()
    registered = (await own.known(camera)).status_as_of
    own.now = own.start + timedelta(days=1)
    await own.judge(own.start)
    assert await own.status(camera) == (UNKNOWN, registered)


async def test_nobody_is_online_because_nobody_looks(own: OwnRegister) -> None:
    """No listener runs: what one stored holds a little longer than an interval."""
    camera = await own.camera()
    await own.beat(camera)
    own.now = own.start + SILENCE + timedelta(minutes=1)
    assert await own.status(camera) == (UNKNOWN, own.start)
    for status, expected in ((ONLINE, []), (UNKNOWN, [camera])):
        found = await own.register.page(
            Filters(status=status), after=None, size=10, caller=ADMINISTRATOR
        )
        assert [one.camera_id for one in found] == expected
    [counted] = await own.statistics()
    assert counted.of("registered") == {UNKNOWN: 1}


async def test_a_change_of_a_camera_nobody_looks_at_does_not_write_its_status_down(
    own: OwnRegister,
) -> None:
    """A status is written together with its event or not at all."""
    camera = await own.camera()
    await own.beat(camera)
    own.now = own.start + timedelta(hours=1)
    current = await own.known(camera)
    await own.register.change(camera, current.description, from_version=1, caller=ADMINISTRATOR)
    own.now = own.start
    assert await own.status(camera) == (ONLINE, own.start)


async def test_a_sign_of_life_from_before_the_clock_was_set_back_counts_no_more(
    own: OwnRegister,
) -> None:
    silent, beating = await own.camera(), await own.camera()
    await own.beat(silent)
    await own.beat(beating)
    own.now = own.start - timedelta(hours=1)
    await own.beat(beating)
    await own.judge(own.now)
    assert await own.status(beating) == (ONLINE, own.now)
    assert await own.status(silent) == (UNKNOWN, own.now)


async def test_statistics_count_the_unknown_apart(own: OwnRegister) -> None:
    cameras = [await own.camera() for _ in range(4)]
    own.now = own.start + timedelta(hours=1)
    await own.beat(cameras[0], own.start)  # too old by now: it says nothing
    own.now = own.start
    await own.beat(cameras[1])
    own.now = own.start + 2 * SILENCE
    await own.judge(own.start)
    await own.beat(cameras[2])
    [counted] = await own.statistics("KZ-75")
    assert counted.region == "KZ-75"
    expected = {ONLINE: 1, OFFLINE: 1, UNKNOWN: 2}
    for name in ("registered", "connected", "with_ai"):
        assert counted.of(name) == expected
    assert counted.values("kind") == [("SPEED_POINT", expected)]
    assert counted.values("function") == [("PLATE", expected), ("VEHICLE", expected)]
    assert counted.values("site_category") == []


async def test_a_watch_that_lost_its_lease_changes_no_status(
    own: OwnRegister, scratch: Any
) -> None:
    camera, silent = await own.camera(), await own.camera()
    await own.beat(silent)
    own.now = own.start + SILENCE + SECOND
    connection = await asyncpg.connect(scratch.runtime)
    await connection.execute("UPDATE leases SET generation = generation + 1")
    await connection.close()
    with pytest.raises(LeaseLost):
        await own.beat(camera)
    with pytest.raises(LeaseLost):
        await own.judge(own.start)
    own.now = own.start
    assert [(await own.status(one))[0] for one in (camera, silent)] == [UNKNOWN, ONLINE]


async def test_a_register_of_many_chunks_is_judged_to_its_end(
    own: OwnRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHUNK", 2)
    monkeypatch.setattr(watching, "BATCH", 2)
    cameras = [await own.camera() for _ in range(5)]
    beats = {camera: ("KZ-75", own.now) for camera in cameras}
    await own.watch.hear(own.lease, beats, own.now)
    own.now = own.start + 2 * SILENCE
    await own.judge(own.start)
    assert [(await own.status(camera))[0] for camera in cameras] == [OFFLINE] * 5
