"""Scheduled work bears a code of the service; whoever changes it without the keys is found."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from audit_log.work_checks import awaited_check, work_check
from chassis.clock import system_clock
from chassis.db import Database
from chassis.tables import work
from chassis.transaction import SYSTEM
from host.scheduler import Scheduler, WaitUntilDue
from sqlalchemy import column, select, table, text

OwnerExecute = Callable[..., Awaitable[None]]
KIND = "look"


async def schedule(db: Database, key: str, **ago: int) -> None:
    async with db.begin(SYSTEM) as tx:
        await tx.schedule(KIND, key, system_clock() - timedelta(**ago))


async def altered(db: Database) -> list[str]:
    """The keys of the work that the check names."""
    async with db.begin(SYSTEM) as tx:
        faults = (await work_check(db.keyring)(tx, "", 100)).faults
        rows = (await tx.execute(select(work.c.work_id, work.c.key))).all()
    names = {f"work:{row.work_id}": row.key for row in rows}
    assert {fault.code for fault in faults} <= {"WORK_ALTERED"}
    return [names[fault.record] for fault in faults]


async def do_due(db: Database, handler: Callable[[str], Awaitable[None]]) -> None:
    scheduler: Any = Scheduler(db, system_clock, {KIND: handler})
    for row in await scheduler._lease():
        await scheduler._do(row)


async def is_done(db: Database, key: str) -> bool:
    async with db.begin(SYSTEM) as tx:
        return await tx.scalar(select(work.c.done_at).where(work.c.key == key)) is not None


async def succeed(key: str) -> None:
    """Nothing to do."""


async def wait(key: str) -> None:
    raise WaitUntilDue(timedelta(milliseconds=-1))


async def fail(key: str) -> None:
    raise LookupError


async def test_what_the_service_does_itself_is_its_own(db: Database) -> None:
    await schedule(db, "waits", seconds=1)
    await schedule(db, "tomorrow", days=-1)
    for handler in (wait, fail):
        await do_due(db, handler)
        assert await altered(db) == []
    async with db.begin(SYSTEM) as tx:
        await tx.reschedule(KIND, "waits", system_clock())
    await do_due(db, succeed)
    assert (await is_done(db, "waits"), await altered(db)) == (True, [])
    async with db.begin(SYSTEM) as tx:
        await tx.reschedule(KIND, "waits", system_clock() + timedelta(days=1))
        await tx.schedule(KIND, "waits", system_clock())
    assert (await is_done(db, "waits"), await altered(db)) == (False, [])


async def test_false_work_is_done_and_stays_named(db: Database) -> None:
    await schedule(db, "own", seconds=1)
    false = "INSERT INTO work (kind, key, due_at, traceparent, story, mac)"
    async with db.begin(SYSTEM) as tx:
        for key, mac in (("no code", None), ("a wrong code", b"x" * 32)):
            row = f"{false} VALUES ('{KIND}', :key, service_now(), '', '', :mac)"
            await tx.execute(text(row), {"key": key, "mac": mac})
    await do_due(db, fail)
    async with db.begin(SYSTEM) as tx:
        await tx.execute(text("UPDATE work SET due_at = service_now()"))
    await do_due(db, succeed)
    assert [await is_done(db, key) for key in ("own", "no code", "a wrong code")] == [True] * 3
    assert await altered(db) == ["own", "no code", "a wrong code"]  # all three were moved


async def test_work_of_before_the_codes_is_the_services_own_as_it_was(
    db: Database, owner_execute: OwnerExecute
) -> None:
    for key in ("done", "due", "marked", "moved"):
        await schedule(db, key, seconds=1)
    older = "UPDATE work SET mac = NULL, needs_mac = false"
    await owner_execute(f"{older}, done_at = now() WHERE key = 'done'", {})
    await owner_execute(f"{older}, due_before_mac = due_at WHERE key <> 'done'", {})
    assert await altered(db) == []
    async with db.begin(SYSTEM) as tx:
        await tx.execute(text("UPDATE work SET done_at = now() WHERE key = 'marked'"))
        await tx.execute(text("UPDATE work SET due_at = 'infinity' WHERE key = 'moved'"))
        await tx.execute(text("UPDATE work SET done_at = NULL WHERE key = 'done'"))
    assert sorted(await altered(db)) == ["done", "marked", "moved"]
    await do_due(db, succeed)
    assert (await is_done(db, "due"), "due" in await altered(db)) == (True, False)


async def test_a_record_without_open_work_is_named(
    db: Database, owner_execute: OwnerExecute
) -> None:
    check = awaited_check({KIND: select(column("name")).select_from(table("effects"))})

    async def missing() -> list[str]:
        async with db.begin(SYSTEM) as tx:
            return [fault.record for fault in (await check(tx, "", 100)).faults]

    async with db.begin(SYSTEM) as tx:
        await tx.execute(text("INSERT INTO effects VALUES ('x')"))
    assert await missing() == ["work:look:x"]
    await schedule(db, "x", seconds=1)
    assert await missing() == []
    await do_due(db, succeed)  # without an effect on the record
    assert await missing() == ["work:look:x"]
