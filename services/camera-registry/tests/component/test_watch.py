"""Silence, on a register of its own: who is offline, who is unknown, and what brings them back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from camera_registry.grpc_api import read_description
from camera_registry.model.camera import SILENCE, Camera, CameraStatus
from camera_registry.storage.cameras import Counts, Filters
from camera_registry.usecases import watch as watching
from camera_registry.usecases.register import Register
from camera_registry.usecases.watch import Watch
from chassis.clock import new_id
from chassis.db import Database
from chassis.identity import Caller, Operator
from chassis.refusals import Checks
from host.leases import Lease, LeaseLost
from law.guards import load
from vault.keyring import Keyring

UNKNOWN, ONLINE, OFFLINE = CameraStatus.UNKNOWN, CameraStatus.ONLINE, CameraStatus.OFFLINE
SECOND = timedelta(seconds=1)
ADMINISTRATOR = Caller(
    "service", "operator-gateway", Operator("cameras-1", frozenset(), ("KZ-75", "KZ-71"))
)


@dataclass
class Place:
    """The use cases of a register under a clock moved by hand."""

    register: Register
    watch: Watch
    lease: Lease
    start: datetime
    now: datetime
    describe: Any

    async def camera(self) -> UUID:
        description = read_description(Checks(), self.describe(), load().at(self.now).camera_kinds)
        camera_id = new_id()
        await self.register.register(camera_id, description, content=b"", caller=ADMINISTRATOR)
        return camera_id

    async def beat(self, camera_id: UUID, at: datetime | None = None) -> None:
        await self.watch.hear(self.lease, {camera_id: ("KZ-75", at or self.now)}, self.now)

    async def judge(self, hears_since: datetime | None) -> None:
        """The whole register, chunk by chunk."""
        after = None
        while True:
            after = await self.watch.judge_silent(self.lease, after, hears_since, self.now)
            if after is None:
                return

    async def known(self, camera_id: UUID) -> Camera:
        return await self.register.get(camera_id, caller=ADMINISTRATOR)

    async def status(self, camera_id: UUID) -> tuple[CameraStatus, datetime]:
        camera = await self.known(camera_id)
        return camera.status, camera.status_as_of


@pytest_asyncio.fixture
async def place(scratch: Any, describe: Any, tmp_path: Path) -> AsyncIterator[Place]:
    db = Database(
        scratch.runtime, service="test", keyring=Keyring(tmp_path), clock=lambda: datetime.now(UTC)
    )
    start = datetime.now(UTC)
    register = Register(db, lambda: found.now, silence=SILENCE)
    watch = Watch(db, silence=SILENCE)
    async with watch.alone() as lease:
        found = Place(register, watch, lease, start, start, describe)
        yield found
    await db.close()


async def test_silence_through_a_whole_interval_of_listening_makes_a_camera_offline(
    place: Place,
) -> None:
    camera = await place.camera()
    await place.beat(camera)
    place.now = place.start + SILENCE
    await place.judge(place.start)
    assert await place.status(camera) == (ONLINE, place.start)
    place.now += SECOND
    await place.judge(place.start)
    assert await place.status(camera) == (OFFLINE, place.now)
    await place.beat(camera)
    assert await place.status(camera) == (ONLINE, place.now)


async def test_what_was_not_heard_of_while_we_were_deaf_is_unknown_as_of_its_last_sign(
    place: Place,
) -> None:
    camera, beating = await place.camera(), await place.camera()
    await place.beat(camera)
    place.now = place.start + SILENCE + SECOND
    await place.beat(beating)
    await place.judge(None)
    assert await place.status(camera) == (UNKNOWN, place.start)
    assert await place.status(beating) == (ONLINE, place.now)


async def test_unknown_becomes_offline_only_after_a_whole_interval_of_listening(
    place: Place,
) -> None:
    camera = await place.camera()
    await place.beat(camera)
    began = place.start + timedelta(hours=1)
    for listened, status in (
        (timedelta(0), UNKNOWN),
        (SILENCE - SECOND, UNKNOWN),
        (SILENCE, OFFLINE),
    ):
        place.now = began + listened
        await place.judge(began)
        assert (await place.status(camera))[0] is status


async def test_offline_is_unknown_too_once_we_were_deaf(place: Place) -> None:
    camera = await place.camera()
    await place.beat(camera)
    place.now = place.start + 2 * SILENCE
    await place.judge(place.start)
    offline_since = place.now
    place.now += timedelta(hours=1)
    await place.judge(place.now)
    assert await place.status(camera) == (UNKNOWN, offline_since)


async def test_a_camera_never_heard_of_stays_unknown(place: Place) -> None:
    camera = await place.camera()
    registered = (await place.known(camera)).status_as_of
    place.now = place.start + timedelta(days=1)
    await place.judge(place.start)
    assert await place.status(camera) == (UNKNOWN, registered)


async def test_nobody_is_online_because_nobody_looks(place: Place) -> None:
    """No listener runs: what one stored holds a little longer than an interval."""
    camera = await place.camera()
    await place.beat(camera)
    place.now = place.start + SILENCE + timedelta(minutes=1)
    assert await place.status(camera) == (UNKNOWN, place.start)
    for status, expected in ((ONLINE, []), (UNKNOWN, [camera])):
        found = await place.register.page(
            Filters(status=status), after=None, size=10, caller=ADMINISTRATOR
        )
        assert [one.camera_id for one in found] == expected
    [counted] = await place.register.statistics("", caller=ADMINISTRATOR)
    assert (counted.online, counted.unknown) == (0, 1)


async def test_a_change_of_a_camera_nobody_looks_at_does_not_write_its_status_down(
    place: Place,
) -> None:
    """A status is written together with its event or not at all."""
    camera = await place.camera()
    await place.beat(camera)
    place.now = place.start + timedelta(hours=1)
    current = await place.known(camera)
    await place.register.change(camera, current.description, from_version=1, caller=ADMINISTRATOR)
    place.now = place.start
    assert await place.status(camera) == (ONLINE, place.start)


async def test_a_sign_of_life_from_before_the_clock_was_set_back_counts_no_more(
    place: Place,
) -> None:
    silent, beating = await place.camera(), await place.camera()
    await place.beat(silent)
    await place.beat(beating)
    place.now = place.start - timedelta(hours=1)
    await place.beat(beating)
    await place.judge(place.now)
    assert await place.status(beating) == (ONLINE, place.now)
    assert await place.status(silent) == (UNKNOWN, place.now)


async def test_statistics_count_the_unknown_apart(place: Place) -> None:
    cameras = [await place.camera() for _ in range(4)]
    place.now = place.start + timedelta(hours=1)
    await place.beat(cameras[0], place.start)  # too old by now: it says nothing
    place.now = place.start
    await place.beat(cameras[1])
    place.now = place.start + 2 * SILENCE
    await place.judge(place.start)
    await place.beat(cameras[2])
    [counted] = await place.register.statistics("KZ-75", caller=ADMINISTRATOR)
    assert counted == Counts("KZ-75", 4, 4, 4, online=1, offline=1, unknown=2)


async def test_a_watch_that_lost_its_lease_changes_no_status(place: Place, scratch: Any) -> None:
    camera, silent = await place.camera(), await place.camera()
    await place.beat(silent)
    place.now = place.start + SILENCE + SECOND
    connection = await asyncpg.connect(scratch.runtime)
    await connection.execute("UPDATE leases SET generation = generation + 1")
    await connection.close()
    with pytest.raises(LeaseLost):
        await place.beat(camera)
    with pytest.raises(LeaseLost):
        await place.judge(place.start)
    assert [(await place.status(one))[0] for one in (camera, silent)] == [UNKNOWN, ONLINE]


async def test_a_register_of_many_chunks_is_judged_to_its_end(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHUNK", 2)
    monkeypatch.setattr(watching, "BATCH", 2)
    cameras = [await place.camera() for _ in range(5)]
    beats = {camera: ("KZ-75", place.now) for camera in cameras}
    await place.watch.hear(place.lease, beats, place.now)
    place.now = place.start + 2 * SILENCE
    await place.judge(place.start)
    assert [(await place.status(camera))[0] for camera in cameras] == [OFFLINE] * 5
