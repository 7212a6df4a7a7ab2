"""The list of erasures: every destroyed key is in it once its work is done, and nobody else's."""

import asyncio
import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.tables import data_keys
from chassis.transaction import SYSTEM
from chassis.work import LIST_ERASURE
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from host.erasures import ErasureList, list_path, read_erasures
from host.scheduler import Scheduler
from sqlalchemy import text, update

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def erasures(tmp_path: Path) -> ErasureList:
    return ErasureList(tmp_path / "erasures", "spotter", KEY, system_clock)


def listed(erasures: ErasureList) -> list[UUID]:
    path = list_path(erasures.folder, erasures.service)
    read = read_erasures(path, erasures.service, KEY.public_key())
    assert read.damaged == ()
    return [erasure.key_id for erasure in read.erasures]


async def new_key(db: Database) -> UUID:
    async with db.begin(SYSTEM) as tx:
        return (await tx.keys.new("person")).key_id


async def exists(db: Database, key_id: UUID) -> bool:
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT wrapped IS NOT NULL FROM data_keys WHERE key_id = :k")
        return bool(await tx.scalar(query.bindparams(k=key_id)))


async def restored(db: Database, key_id: UUID, wrapped: bytes) -> None:
    """As after a restore to a moment at which the key was there."""
    async with db.begin(SYSTEM) as tx:
        await tx.execute(
            update(data_keys).where(data_keys.c.key_id == key_id).values(wrapped=wrapped)
        )


async def test_a_destroyed_key_is_listed_and_a_discarded_one_is_not(
    db: Database, erasures: ErasureList
) -> None:
    destroyed, discarded = await new_key(db), await new_key(db)
    async with db.begin(SYSTEM) as tx:
        await tx.keys.destroy(destroyed)
        await tx.keys.discard(discarded)
    scheduler = Scheduler(db, system_clock, {LIST_ERASURE: erasures.append})
    working = asyncio.ensure_future(scheduler.run())
    async with asyncio.timeout(60):
        while listed(erasures) != [destroyed]:
            await asyncio.sleep(0.05)
    working.cancel()
    assert not await exists(db, destroyed) and not await exists(db, discarded)


async def test_a_destruction_that_was_rolled_back_is_not_listed(db: Database) -> None:
    key_id = await new_key(db)
    with pytest.raises(ZeroDivisionError):
        async with db.begin(SYSTEM) as tx:
            await tx.keys.destroy(key_id)
            await tx.flush()
            raise ZeroDivisionError
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT count(*) FROM work WHERE key = :k").bindparams(k=str(key_id))
        assert await tx.scalar(query) == 0


async def test_after_a_restore_listed_keys_are_destroyed_again_and_others_stay(
    db: Database, erasures: ErasureList
) -> None:
    erased, other = await new_key(db), await new_key(db)
    await erasures.append(str(uuid4()))  # of a key that came after the backup
    await erasures.append(str(erased))
    assert await erasures.repeat(db) == 1
    assert not await exists(db, erased) and await exists(db, other)
    assert await erasures.repeat(db) == 0
    await restored(db, erased, b"wrapped")
    assert await erasures.repeat(db) == 1
    async with db.begin(SYSTEM) as tx:
        entries = "SELECT count(*) FROM audit WHERE position('repeat_erasures' in"
        assert await tx.scalar(text(f"{entries} convert_from(canonical, 'UTF8')) > 0")) == 2


async def test_a_line_that_a_crash_cut_off_is_replaced(erasures: ErasureList) -> None:
    first, second = uuid4(), uuid4()
    await erasures.append(str(first))
    path = list_path(erasures.folder, erasures.service)
    with path.open("ab") as file:
        file.write(b'{"number": 2, "key_id": "')
    assert listed(erasures) == [first]
    await erasures.append(str(second))
    assert listed(erasures) == [first, second]


@pytest.mark.parametrize("change", ["forged", "missing", "foreign"])
async def test_a_forged_line_erases_nobody_and_a_missing_one_is_found(
    db: Database, tmp_path: Path, erasures: ErasureList, change: str
) -> None:
    keys = [await new_key(db) for _ in range(3)]
    for key_id in keys:
        await erasures.append(str(key_id))
    path = list_path(erasures.folder, erasures.service)
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "forged":  # somebody else's key in the place of the erased one
        content = json.loads(lines[1])
        victim = await new_key(db)
        lines[1] = json.dumps({**content, "key_id": str(victim)}).encode() + b"\n"
    elif change == "missing":
        del lines[1]
    else:
        key = Ed25519PrivateKey.generate()
        other = ErasureList(tmp_path / "other", "spotter", key, system_clock)
        await other.append(str(victim := await new_key(db)))
        lines[1] = list_path(other.folder, "spotter").read_bytes()
    path.write_bytes(b"".join(lines))
    read = read_erasures(path, "spotter", KEY.public_key())
    assert read.damaged == ((2,) if change == "missing" else (2, 3))
    assert await erasures.repeat(db) == 2
    assert not await exists(db, keys[0]) and not await exists(db, keys[2])
    if change != "missing":
        assert await exists(db, victim)


async def test_a_list_that_lost_its_beginning_is_damaged(erasures: ErasureList) -> None:
    for _ in range(2):
        await erasures.append(str(uuid4()))
    path = list_path(erasures.folder, erasures.service)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[1])
    read = read_erasures(path, erasures.service, KEY.public_key())
    assert read.damaged == (1,) and read.newest == 2


async def test_two_copies_of_a_service_may_append_at_once(erasures: ErasureList) -> None:
    copy = ErasureList(erasures.folder, erasures.service, KEY, system_clock)
    keys = [uuid4() for _ in range(40)]
    await asyncio.gather(
        *(each.append(str(key)) for each, key in zip([erasures, copy] * 20, keys, strict=True))
    )
    assert sorted(listed(erasures)) == sorted(keys)
