"""A service whose keys are not those of its database is unready, and says what to do."""

from pathlib import Path

import pytest
from audit_log.own_key import own_key_check
from chassis.clock import system_clock
from chassis.db import Database, storage_is_away
from chassis.tables import audit_heads
from chassis.transaction import SYSTEM
from vault.keyring import Keyring, KeysForeign

from .test_audit import seal


@pytest.fixture
async def without_keys(db: Database, tmp_path: Path) -> Database:
    """The same database, as a service sees it whose key folder is not mounted."""
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    keyring = Keyring(tmp_path / "not-mounted")
    return Database(url, service="scratch", keyring=keyring, clock=system_clock)


async def sealed(db: Database) -> int:
    async with db.begin(SYSTEM) as tx:
        tx.audit("look", "thing:1")
    return await seal(db)


async def test_before_the_first_head_every_key_will_do(without_keys: Database) -> None:
    assert await own_key_check(without_keys).look() == {}
    await without_keys.close()


async def test_the_keys_of_a_log_that_was_signed_are_needed(
    db: Database, without_keys: Database
) -> None:
    assert await sealed(db) == 1
    assert await own_key_check(db).look() == {}
    reasons = await own_key_check(without_keys).look()
    assert list(reasons) == ["keys"] and "restore the folder of its keys" in reasons["keys"]
    await without_keys.close()


async def test_nothing_is_written_or_read_with_keys_that_are_not_those_of_the_database(
    db: Database, without_keys: Database
) -> None:
    assert await sealed(db) == 1
    await own_key_check(without_keys).look()
    with pytest.raises(KeysForeign) as refused:
        async with without_keys.begin(SYSTEM) as tx:
            await tx.keys.new("person")
    assert storage_is_away(refused.value), "callers try again, consumers wait"
    with pytest.raises(KeysForeign):
        async with without_keys.begin(SYSTEM) as tx:
            await tx.schedule("watched", "thing:1", system_clock())
    await own_key_check(db).look()
    async with db.begin(SYSTEM) as tx:
        await tx.keys.new("person")
    await without_keys.close()


async def test_a_forged_head_makes_nobody_unready(db: Database, without_keys: Database) -> None:
    assert await sealed(db) == 1
    check = own_key_check(db)
    async with without_keys.begin(SYSTEM) as tx:
        head = (await tx.execute(audit_heads.select())).one()._asdict()
        forged = head | {"tree_size": 1000, "public_key": b"x" * 32}
        await tx.execute(audit_heads.insert().values(forged))
    assert await check.look() == {}
    assert await own_key_check(db).look() == {}
    await without_keys.close()
