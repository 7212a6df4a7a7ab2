"""All data keys of a service are wrapped anew while it goes on making, reading and destroying."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from chassis.db import Database
from chassis.tables import data_keys
from chassis.transaction import SYSTEM
from host import rewrapping
from host.rewrapping import rotate_keys
from sqlalchemy import select
from vault import wrapping
from vault.keyring import DataKey
from vault.wrapping import Rotation

CLASSES = ("person", "report")


class Interrupted(Exception):
    pass


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrapping, "BATCH", 2)
    for module in (rewrapping, wrapping):
        monkeypatch.setattr(module, "READ_SECONDS", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the keyring of the fixture `db` is."""
    return tmp_path / "keys"


async def made(db: Database, key_class: str) -> DataKey:
    async with db.begin(SYSTEM) as tx:
        return await tx.keys.new(key_class)


async def stored(db: Database) -> dict[Any, bytes | None]:
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(select(data_keys.c.key_id, data_keys.c.wrapped))
        return {row.key_id: row.wrapped for row in rows}


def wrapping_keys(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.wrap-*"))


def nothing(key_class: str, done: int, total: int) -> None: ...


async def test_all_keys_are_wrapped_anew_and_open_what_they_opened(
    db: Database, folder: Path
) -> None:
    keys = [(kind, await made(db, kind)) for kind in CLASSES for _ in range(5)]
    destroyed = keys.pop()[1]
    async with db.begin(SYSTEM) as tx:
        await tx.keys.destroy(destroyed.key_id)
    told: list[tuple[str, int, int]] = []
    await rotate_keys(db, folder, settle_seconds=0, progress=lambda *each: told.append(each))
    assert ("person", 5, 5) in told and ("report", 4, 4) in told
    after = await stored(db)
    assert after[destroyed.key_id] is None
    for kind, key in keys:
        assert after[key.key_id] != key.wrapped
        async with db.begin(SYSTEM) as tx:
            assert (await tx.keys.get(kind, key.key_id)).plain == key.plain
    await rotate_keys(db, folder, settle_seconds=0, progress=nothing)
    assert wrapping_keys(folder) == ["person.wrap-2.key", "report.wrap-2.key"]


async def test_an_interrupted_rotation_goes_on(db: Database, folder: Path) -> None:
    keys = [await made(db, "person") for _ in range(5)]

    def interrupt(key_class: str, done: int, total: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        await rotate_keys(db, folder, settle_seconds=0, progress=interrupt)
    await rotate_keys(db, folder, settle_seconds=0, progress=nothing)
    assert wrapping_keys(folder) == ["person.wrap-1.key"]
    rotation = Rotation.begin(folder, "person")
    assert rotation.number == 2
    for key in keys:
        async with db.begin(SYSTEM) as tx:
            assert (await tx.keys.get("person", key.key_id)).plain == key.plain


async def test_a_key_that_a_slow_call_stores_late_is_wrapped_before_the_old_is_destroyed(
    db: Database, folder: Path
) -> None:
    await rotate_keys(db, folder, settle_seconds=0, progress=nothing)
    await made(db, "person")
    await rotate_keys(db, folder, settle_seconds=0, progress=nothing)
    late = db.keyring.new_data_key("person")
    written = False

    async def store() -> None:
        async with db.begin(SYSTEM) as tx:
            row = {"key_id": late.key_id, "key_class": "person", "wrapped": late.wrapped}
            tx.add(data_keys, row)

    def note(key_class: str, done: int, total: int) -> None:
        nonlocal written
        written = True

    rotating = asyncio.ensure_future(rotate_keys(db, folder, settle_seconds=3, progress=note))
    while not written:
        await asyncio.sleep(0.05)
    await store()
    await rotating
    async with db.begin(SYSTEM) as tx:
        assert (await tx.keys.get("person", late.key_id)).plain == late.plain
