"""What a transaction adds: written by one statement, wholly or not at all, under its scope."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from chassis.clock import new_id, system_clock
from chassis.db import Database, storage_is_away
from chassis.event import Event
from chassis.refusals import IdReused
from chassis.tables import audit, audit_pending, outbox, requests, work
from chassis.transaction import SYSTEM, Scope, Tx
from google.protobuf.wrappers_pb2 import StringValue
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

BANK = Scope("partner", "kaspi", ("KZ-75",))
WRITER = str(Path(__file__).with_name("writer.py"))
RUNTIME_ROLE = "chassis_scratch_runtime"
notes = Table(
    "notes",
    MetaData(),
    Column("note_id", Uuid, primary_key=True),
    Column("region", Text, nullable=False),
    Column("content", Text),
)


@pytest.fixture
async def noted(
    db: Database, with_table: Callable[[Table], Awaitable[None]]
) -> AsyncIterator[Database]:
    """A database with the table `notes`, of which a scope sees its regions."""
    await with_table(notes)
    yield db


versions = Table(
    "versions",
    MetaData(),
    Column("note_id", Uuid, primary_key=True),
    Column("region", Text, nullable=False),
    Column("content", Text),
    Column("version", BigInteger, nullable=False),
)


@pytest.fixture
async def versioned(
    db: Database, with_table: Callable[[Table], Awaitable[None]]
) -> AsyncIterator[Database]:
    """A database with the table `versions`, of which a scope sees its regions."""
    await with_table(versions)
    yield db


def add_note(tx: Tx, note_id: UUID, region: str = "KZ-75", content: str | None = "") -> None:
    """What a hot use case writes: the row, an event, an audit entry and work."""
    tx.add(notes, {"note_id": note_id, "region": region, "content": content})
    fact = StringValue(value=str(note_id))
    tx.emit(Event("cameras.v1.registered", f"note:{note_id}", 1, region, fact))
    tx.audit("write", f"note:{note_id}", region=region)


async def write_note(db: Database, note_id: UUID, content: bytes = b"", **row: Any) -> bool:
    async with db.begin(BANK, shared=True) as tx:
        tx.write_once(BANK.actor, note_id, content)
        add_note(tx, note_id, **row)
    return tx.was_first


async def counts(db: Database) -> dict[str, int]:
    async with db.begin(SYSTEM) as tx:
        return {
            table.name: await tx.scalar(select(func.count()).select_from(table))
            for table in (notes, outbox, audit, audit_pending, requests)
        }


def all_counts(number: int) -> dict[str, int]:
    return dict.fromkeys(("notes", "outbox", "audit", "audit_pending", "requests"), number)


@pytest.mark.parametrize("shared", [False, True])
async def test_what_is_added_is_written_once_for_an_id(noted: Database, shared: bool) -> None:
    note_id = new_id()
    firsts = []
    for _ in range(2):
        async with noted.begin(BANK, shared=shared) as tx:
            tx.write_once(BANK.actor, note_id, b"content")
            add_note(tx, note_id, content=None)
        assert tx.connection is None  # no transaction was begun for it
        firsts.append(tx.was_first)
    assert firsts == [True, False]
    with pytest.raises(IdReused):
        async with noted.begin(BANK, shared=shared) as tx:
            tx.write_once(BANK.actor, note_id, b"other content")
            add_note(tx, new_id())
    assert await counts(noted) == all_counts(1)


async def test_a_row_of_another_region_is_refused_with_all_that_belongs_to_it(
    noted: Database,
) -> None:
    for shared in (False, True):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with noted.begin(BANK, shared=shared) as tx:
                tx.write_once(BANK.actor, new_id(), b"")
                add_note(tx, new_id(), region="KZ-71")
    with pytest.raises(DBAPIError, match="row-level security"):
        async with noted.begin(Scope("partner", "kaspi")) as tx:
            add_note(tx, new_id())
    assert await counts(noted) == all_counts(0)


async def test_the_scope_of_a_statement_ends_with_it(noted: Database) -> None:
    await write_note(noted, new_id())
    async with noted.engine.connect() as connection:
        assert not await connection.scalar(text("SELECT current_setting('app.name', true)"))
        assert await connection.scalar(select(func.count()).select_from(notes)) == 0


async def test_calls_at_once_share_commits_and_each_is_whole(noted: Database) -> None:
    same = new_id()
    ids = [*(new_id() for _ in range(40)), *([same] * 20)]
    firsts = await asyncio.gather(*(write_note(noted, each) for each in ids))
    assert firsts[:40] == [True] * 40 and sum(firsts[40:]) == 1
    assert await counts(noted) == all_counts(41)
    async with noted.begin(SYSTEM) as tx:
        commits = await tx.scalar(text("SELECT count(DISTINCT xmin::text) FROM notes"))
        order = (await tx.execute(select(outbox.c.aggregate).order_by(outbox.c.position))).scalars()
        assert list(order)[:40] == [f"note:{each}" for each in ids[:40]]
    assert commits < 20


async def test_one_that_fails_harms_no_other(noted: Database) -> None:
    taken = new_id()
    await write_note(noted, taken)
    ids = [new_id() for _ in range(20)]

    async def take_again() -> bool:
        async with noted.begin(BANK, shared=True) as tx:
            tx.write_once(BANK.actor, new_id(), b"")
            add_note(tx, taken)
        return tx.was_first

    calls = [write_note(noted, each) for each in ids[:7]]
    calls.append(write_note(noted, ids[7], region="KZ-71"))
    calls += [write_note(noted, each) for each in ids[8:12]]
    calls.append(take_again())
    calls += [write_note(noted, each) for each in ids[13:]]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    failed = {place: error for place, error in enumerate(ended) if error is not True}
    assert sorted(failed) == [7, 12] and isinstance(failed[12], IntegrityError)
    assert await counts(noted) == all_counts(1 + 18)


async def rewrite(
    db: Database, note_id: UUID, version: int, *, scope: Scope = BANK, waits: bool = True
) -> bool:
    """Replace a note that is in this version, with an event and an audit entry."""
    async with db.begin(scope, shared=True) as tx:
        row = {"note_id": note_id, "region": "KZ-75", "content": "new", "version": version + 1}
        tx.replace(versions, row, version=version, waits=waits)
        tx.audit("rewrite", f"note:{note_id}", region="KZ-75")
    assert tx.connection is None
    return tx.was_current


async def in_version_1(db: Database) -> UUID:
    note_id = new_id()
    async with db.begin(BANK) as tx:
        row = {"note_id": note_id, "region": "KZ-75", "content": "", "version": 1}
        tx.add(versions, row)
    return note_id


async def entries(db: Database) -> int:
    async with db.begin(SYSTEM) as tx:
        return int(await tx.scalar(select(func.count()).select_from(audit)))


async def test_a_row_is_replaced_only_in_the_version_that_was_read(versioned: Database) -> None:
    note_id = await in_version_1(versioned)
    assert await rewrite(versioned, note_id, 1)
    assert not await rewrite(versioned, note_id, 1)
    assert not await rewrite(versioned, new_id(), 1)
    assert await entries(versioned) == 1
    async with versioned.begin(BANK) as tx:
        [row] = (await tx.execute(select(versions))).all()
        with pytest.raises(RuntimeError, match="executed statements"):
            tx.replace(versions, row._asdict(), version=2)
    assert (row.note_id, row.content, row.version) == (note_id, "new", 2)


async def test_a_row_that_the_scope_does_not_see_counts_as_changed(versioned: Database) -> None:
    note_id = await in_version_1(versioned)
    assert not await rewrite(versioned, note_id, 1, scope=Scope("partner", "other", ("KZ-71",)))
    assert await entries(versioned) == 0 and await rewrite(versioned, note_id, 1)


async def test_of_many_replacements_at_once_each_row_has_one(versioned: Database) -> None:
    ids = [await in_version_1(versioned) for _ in range(20)]
    calls = [*(rewrite(versioned, each, 1) for each in ids)]
    calls += [*(rewrite(versioned, ids[0], 1) for _ in range(5)), rewrite(versioned, ids[1], 7)]
    ended = await asyncio.gather(*calls)
    assert sum(ended) == 20 and ended[1:20] == [True] * 19 and not ended[-1]
    assert await entries(versioned) == 20


async def test_a_locked_row_is_waited_for_only_on_request(versioned: Database) -> None:
    note_id, other = await in_version_1(versioned), await in_version_1(versioned)
    async with versioned.begin(BANK) as tx:
        await tx.execute(select(versions).where(versions.c.note_id == note_id).with_for_update())
        assert not await rewrite(versioned, note_id, 1, waits=False)
        assert await rewrite(versioned, other, 1, waits=False)
        waiting = asyncio.ensure_future(rewrite(versioned, note_id, 1))
    assert await waiting


async def test_added_rows_are_there_for_the_next_statement(noted: Database) -> None:
    async with noted.begin(BANK) as tx:
        add_note(tx, new_id())
        await tx.schedule("look", "one", system_clock())
        await tx.schedule("look", "one", system_clock())
        assert await tx.scalar(select(func.count()).select_from(notes)) == 1
        assert await tx.scalar(select(func.count()).select_from(work)) == 1
    with pytest.raises(ValueError):
        async with noted.begin(BANK) as tx:
            add_note(tx, new_id())
            await tx.scalar(select(1))
            raise ValueError
    assert (await counts(noted))["notes"] == 1


async def test_a_transaction_that_writes_once_executes_nothing_else(noted: Database) -> None:
    with pytest.raises(RuntimeError, match="executes no statement"):
        async with noted.begin(BANK) as tx:
            tx.write_once(BANK.actor, new_id(), b"")
            await tx.scalar(select(1))
    with pytest.raises(RuntimeError, match="executed statements"):
        async with noted.begin(BANK) as tx:
            await tx.scalar(select(1))
            tx.write_once(BANK.actor, new_id(), b"")


async def test_a_broken_connection_is_told_to_all_who_wait_and_each_may_try_again(
    noted: Database,
) -> None:
    ids = [new_id() for _ in range(20)]
    end_all = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = current_user AND pid <> pg_backend_pid()"
    )

    async def end_connections() -> None:
        async with noted.begin(SYSTEM) as tx:
            for _ in range(20):
                await tx.execute(end_all)
                await asyncio.sleep(0.005)

    async def until_written(note_id: UUID) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    await write_note(noted, note_id)
                    return
                except Exception as error:
                    if not storage_is_away(error):
                        raise
                    await asyncio.sleep(0.01)

    await asyncio.gather(end_connections(), *(until_written(each) for each in ids))
    assert await counts(noted) == all_counts(20)


async def test_killed_between_any_two_steps_it_has_lost_and_doubled_nothing(
    noted: Database, tmp_path: Path
) -> None:
    ids = [new_id() for _ in range(600)]
    url = noted.engine.url.render_as_string(hide_password=False)
    given = tmp_path / "ids"
    given.write_text("\n".join(map(str, ids)))
    acknowledged: set[UUID] = set()
    for killed_after in (1, 50, 150, None):
        process = await asyncio.create_subprocess_exec(
            sys.executable, WRITER, url, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        seen = 0
        async for line in process.stdout:
            acknowledged.add(UUID(line.decode().strip()))
            seen += 1
            if seen == killed_after:
                process.kill()
        await process.wait()
        async with noted.begin(SYSTEM) as tx:
            stored = set((await tx.execute(select(notes.c.note_id))).scalars())
        assert acknowledged <= stored
        assert await counts(noted) == all_counts(len(stored))
    assert acknowledged == set(ids) and len(stored) == len(ids)
