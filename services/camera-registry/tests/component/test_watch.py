"""Silence: who counts as offline, and when we may not say so."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest_asyncio
from camera_registry.usecases import Watch
from chassis.db import Database
from chassis.sealing import Keyring
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip_cli.testing import RunningTestMesh

Register = Callable[..., Awaitable[pb.Camera]]
START = datetime.now(UTC)


class HandClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest_asyncio.fixture
async def db(engines: RunningTestMesh, service: str, tmp_path: Path) -> AsyncIterator[Database]:
    url = engines.database.runtime_url("camera_registry")
    db = Database(url, service="test", keyring=Keyring(tmp_path), clock=lambda: datetime.now(UTC))
    yield db
    await db.close()


async def test_three_silent_minutes_make_a_camera_offline_and_a_beat_brings_it_back(
    db: Database, register: Register
) -> None:
    camera_id, clock = UUID((await register()).camera_id), HandClock()
    watch = Watch(db, clock)
    assert await watch.hear({camera_id: ("KZ-75", START)}) == 1
    assert await watch.hear({camera_id: ("KZ-75", START)}) == 0
    clock.now = START + timedelta(minutes=3)
    assert await watch.look_for_silence(START) == 0
    clock.now = START + timedelta(minutes=3, seconds=1)
    assert await watch.look_for_silence(START) >= 1
    assert await watch.look_for_silence(START) == 0
    assert await watch.hear({camera_id: ("KZ-75", clock.now)}) == 1


async def test_silence_means_nothing_while_we_are_deaf_or_have_just_begun_to_listen(
    db: Database, register: Register
) -> None:
    camera_id, clock = UUID((await register()).camera_id), HandClock()
    watch = Watch(db, clock)
    await watch.hear({camera_id: ("KZ-75", START)})
    clock.now = START + timedelta(hours=1)
    assert await watch.look_for_silence(None) == 0
    assert await watch.look_for_silence(clock.now - timedelta(minutes=1)) == 0
    assert await watch.look_for_silence(START) >= 1
