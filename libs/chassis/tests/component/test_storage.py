"""One visible transaction: with everything that belongs to it, or with nothing."""

import asyncio
import contextlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import chassis.db
import pytest
from chassis.channels import CallInsideTransaction, Channels
from chassis.clock import new_id, system_clock
from chassis.db import Database, storage_is_away
from chassis.event import Event
from chassis.refusals import IdReused
from chassis.tables import audit, outbox, work
from chassis.transaction import SYSTEM, Scope
from google.protobuf.wrappers_pb2 import StringValue
from host.scheduler import Scheduler
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from statements.reads import Read
from vault.keyring import Keyring


def fact(name: str = "one") -> Event:
    return Event("cameras.v1.registered", f"camera:{name}", 1, "KZ-75", StringValue(value=name))


async def count(db: Database, table: Any) -> int:
    async with db.begin(SYSTEM) as tx:
        return int(await tx.scalar(select(func.count()).select_from(table)))


async def test_a_decision_that_fails_leaves_no_fact_and_no_audit_row(db: Database) -> None:
    with pytest.raises(ValueError):
        async with db.begin(SYSTEM) as tx:
            tx.emit(fact())
            tx.audit("register", "camera:one")
            await tx.schedule("look", "one", system_clock())
            raise ValueError
    assert [await count(db, table) for table in (outbox, audit, work)] == [0, 0, 0]


async def test_the_same_id_is_first_once_and_refused_with_other_content(db: Database) -> None:
    request_id = new_id()
    async with db.begin(SYSTEM) as tx:
        assert await tx.once("partner/kaspi", request_id, b"content")
    async with db.begin(SYSTEM) as tx:
        assert not await tx.once("partner/kaspi", request_id, b"content")
    async with db.begin(SYSTEM) as tx:
        assert await tx.once("partner/halyk", request_id, b"another bank's own")
    with pytest.raises(IdReused):
        async with db.begin(SYSTEM) as tx:
            await tx.once("partner/kaspi", request_id, b"other content")


async def test_twenty_at_once_with_one_id_are_first_once(db: Database) -> None:
    request_id = new_id()

    async def attempt() -> bool:
        async with db.begin(SYSTEM) as tx:
            return await tx.once("partner/kaspi", request_id, b"content")

    outcomes = await asyncio.gather(*(attempt() for _ in range(20)))
    assert sum(outcomes) == 1


async def test_audit_rows_cannot_be_changed_by_the_service(db: Database) -> None:
    async with db.begin(SYSTEM) as tx:
        tx.audit("read", "fine:1")
    for statement in ("UPDATE audit SET canonical = ''", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with db.begin(SYSTEM) as tx:
                await tx.execute(text(statement))


async def test_a_scope_ends_with_its_transaction(db: Database) -> None:
    scope = Scope("operator", "inspector-1", ("KZ-75",), ("inspector",))
    async with db.begin(scope) as tx:
        assert await tx.scalar(text("SELECT current_setting('app.regions', true)")) == '["KZ-75"]'
    async with db.engine.connect() as connection:
        told = await connection.scalar(text("SELECT current_setting('app.regions', true)"))
    assert not told


async def test_a_person_has_one_key_and_an_erased_person_none(db: Database) -> None:
    async with db.begin(SYSTEM) as tx:
        key = await tx.keys.of_person("person", "900101300017")
        sealed = key.seal("Алия", "t.c:1")
    async with db.begin(SYSTEM) as tx:
        assert (await tx.keys.of_person("person", "900101300017")).open_text(
            sealed, "t.c:1"
        ) == "Алия"
        await tx.execute(text("UPDATE data_keys SET wrapped = NULL, destroyed_at = now()"))
    with pytest.raises(KeyError):
        async with db.begin(SYSTEM) as tx:
            await tx.keys.get("person", key.key_id)


async def test_scheduled_work_is_done_once_after_it_failed(db: Database) -> None:
    done: list[str] = []

    async def handler(key: str) -> None:
        done.append(key)
        if len(done) == 1:
            raise ValueError("first try fails")

    async with db.begin(SYSTEM) as tx:
        for _ in range(3):  # the same work three times is one piece of work
            await tx.schedule("look", "one", system_clock() - timedelta(seconds=1))
        await tx.schedule("look", "later", system_clock() + timedelta(hours=1))
    schedulers = [Scheduler(db, system_clock, {"look": handler}) for _ in range(2)]
    tasks = [asyncio.ensure_future(scheduler.run()) for scheduler in schedulers]
    async with asyncio.timeout(60):
        while len(done) < 2:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
    for task in tasks:
        task.cancel()
    assert done == ["one", "one"]


async def test_no_peer_is_called_inside_a_transaction(db: Database, postgres: Any) -> None:
    pair = postgres.certificates.service("tartip-cli")
    channels = Channels(cert=pair.certificate, key=pair.key, ca=postgres.certificates.authority)
    call = channels.to("127.0.0.1:1", "nobody").unary_unary("/x.Y/Z", None, None)
    with pytest.raises(CallInsideTransaction):
        async with db.begin(SYSTEM):
            await call(b"")
    await channels.close()


async def test_what_fails_at_a_savepoint_leaves_nothing_and_the_rest_stands(db: Database) -> None:
    twice = fact("twice")
    async with db.begin(SYSTEM) as tx:
        tx.emit(fact("before"))
        async with tx.savepoint():
            tx.emit(twice)
        with pytest.raises(IntegrityError):
            async with tx.savepoint():
                tx.audit("register", "camera:twice")
                tx.emit(twice)
        with pytest.raises(ValueError):
            async with tx.savepoint():
                tx.emit(fact("never"))
                raise ValueError
        tx.emit(fact("after"))
    async with db.begin(SYSTEM) as tx:
        told = set((await tx.execute(select(outbox.c.aggregate))).scalars())
    assert told == {"camera:before", "camera:twice", "camera:after"}
    assert await count(db, audit) == 0


@pytest.mark.parametrize(
    ("state", "away"),
    [
        ("53100", True),
        ("53200", True),
        ("53300", True),
        ("58030", True),
        ("40001", True),
        ("57P01", True),
        ("57014", True),
        ("55P03", True),
        ("23505", False),
        ("22003", False),
        ("P0001", False),
    ],
)
async def test_what_may_work_later_is_told_from_what_never_will(
    db: Database, state: str, away: bool
) -> None:
    with pytest.raises(DBAPIError) as raised:
        async with db.begin(SYSTEM) as tx:
            await tx.execute(
                text(f"DO $$ BEGIN RAISE EXCEPTION 'told' USING ERRCODE = '{state}'; END $$")
            )
    assert storage_is_away(raised.value) is away


@pytest.mark.parametrize("state", ["57P03", "53300"])
@pytest.mark.parametrize("as_", ["begin", "read", "write"])
async def test_a_database_that_takes_no_connection_yet_is_away(
    tmp_path: Path, state: str, as_: str
) -> None:
    """As PostgreSQL answers while it starts (57P03), or when all its connections are taken."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = f"SFATAL\0VFATAL\0C{state}\0Mnot now\0\0".encode()
        await reader.read(8)
        writer.write(b"N")  # no TLS
        await reader.read(1024)
        writer.write(b"E" + (len(told) + 4).to_bytes(4) + told)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"postgresql://nobody:none@127.0.0.1:{port}/none"
    db = Database(url, service="test", keyring=Keyring(tmp_path), clock=system_clock)
    with pytest.raises(Exception) as raised:
        if as_ == "read":
            await db.read(SYSTEM, Read(select(func.count().label("count"))))
        async with db.begin(SYSTEM) as tx:
            tx.audit("look", "thing:1")
            if as_ == "begin":
                await tx.execute(text("SELECT 1"))
    assert storage_is_away(raised.value), raised.value
    await db.close()
    server.close()


async def test_a_transaction_that_another_stood_in_the_way_of_may_be_tried_again(
    db: Database,
) -> None:
    met = asyncio.Barrier(2)

    async def lock(*keys: int) -> None:
        async with db.begin(SYSTEM) as tx:
            for key in keys:
                await tx.execute(text(f"SELECT pg_advisory_xact_lock({key})"))
                if key == keys[0]:
                    await met.wait()

    failed = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    [error] = [one for one in failed if one is not None]
    assert isinstance(error, DBAPIError) and storage_is_away(error)


async def test_work_that_is_rescheduled_is_done_again_at_its_new_time(db: Database) -> None:
    done: list[str] = []

    async def handler(key: str) -> None:
        done.append(key)

    scheduler = Scheduler(db, system_clock, {"look": handler})

    async def run_due() -> None:
        for row in await scheduler._lease():
            await scheduler._do(row)

    past = system_clock() - timedelta(seconds=1)
    async with db.begin(SYSTEM) as tx:
        await tx.schedule("look", "one", past)
    await run_due()
    async with db.begin(SYSTEM) as tx:
        await tx.schedule("look", "one", past)  # done once is done
    await run_due()
    assert done == ["one"]
    async with db.begin(SYSTEM) as tx:
        await tx.reschedule("look", "one", system_clock() + timedelta(hours=1))
        await tx.reschedule("look", "new", past)
    await run_due()
    assert done == ["one", "new"]
    async with db.begin(SYSTEM) as tx:
        await tx.reschedule("look", "one", past)
    await run_due()
    assert done == ["one", "new", "one"]


async def test_a_scope_travels_as_it_is_whatever_it_holds(db: Database) -> None:
    name = "o'neil\\'; DROP TABLE audit; --"
    async with db.begin(Scope("operator", name, ("KZ-75",), ("in'spector",))) as tx:
        kind_and_name = "SELECT current_setting('app.kind') || '/' || current_setting('app.name')"
        assert await tx.scalar(text(kind_and_name)) == f"operator/{name}"
        assert (
            await tx.scalar(text("SELECT current_setting('app.roles')::jsonb ->> 0"))
            == "in'spector"
        )
    with pytest.raises(ValueError, match="NUL"):
        async with db.begin(Scope("operator", "a\0b")) as tx:
            await tx.scalar(select(1))
    assert await count(db, audit) == 0


async def test_a_connection_that_the_server_closed_is_replaced_before_its_use(
    db: Database,
) -> None:
    async with db.begin(SYSTEM) as one, db.begin(SYSTEM) as other:
        pids = {await tx.scalar(text("SELECT pg_backend_pid()")) for tx in (one, other)}
    ended = text(
        "SELECT bool_and(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE usename = current_user AND pid <> pg_backend_pid()"
    )
    async with db.begin(SYSTEM) as tx:
        await tx.execute(ended)
        survivor = await tx.scalar(text("SELECT pg_backend_pid()"))
    await asyncio.sleep(0.2)  # the loop hears of it
    async with db.begin(SYSTEM) as one, db.begin(SYSTEM) as other:
        now = {await tx.scalar(text("SELECT pg_backend_pid()")) for tx in (one, other)}
    assert len(now) == 2 and now & pids <= {survivor}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "3"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "20000"),
    ],
)
async def test_a_client_that_is_gone_is_noticed_by_the_server(
    db: Database, setting: str, value: str
) -> None:
    async with db.begin(SYSTEM) as tx:
        assert await tx.scalar(text(f"SHOW {setting}")) == value


async def test_a_server_that_is_gone_is_noticed_at_the_next_statement(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it had lost its network: the connection stands, and nothing is answered."""
    monkeypatch.setattr(chassis.db, "COMMAND_SECONDS", 0.5)
    url = db.engine.url.render_as_string(hide_password=False)
    other = Database(url, service="test", keyring=db.keyring, clock=system_clock)
    async with asyncio.timeout(60):
        with pytest.raises(Exception) as raised:
            async with other.begin(SYSTEM) as tx:
                await tx.execute(text("SELECT pg_sleep(60)"))
    assert storage_is_away(raised.value)
    await other.close()


@pytest.mark.parametrize("statement", ["SELECT pg_sleep(10)", "SELECT 1/0"])
async def test_what_breaks_off_leaves_no_transaction_open(db: Database, statement: str) -> None:
    async def broken() -> None:
        async with db.begin(SYSTEM) as tx:
            tx.emit(fact())
            await tx.execute(text(statement))

    task = asyncio.ensure_future(broken())
    await asyncio.wait([task], timeout=0.5)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.done()
    left_open = text(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user"
        " AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    async with db.begin(SYSTEM) as tx:
        assert await tx.scalar(left_open) == 0
    assert await count(db, outbox) == 0


async def test_a_statement_that_failed_unseen_is_no_commit(db: Database) -> None:
    with pytest.raises(RuntimeError, match="ROLLBACK"):
        async with db.begin(SYSTEM) as tx:
            tx.audit("read", "fine:1")
            await tx.flush()
            with contextlib.suppress(DBAPIError):
                await tx.execute(text("SELECT 1/0"))
    assert await count(db, audit) == 0


async def test_facts_and_entries_keep_their_order(db: Database) -> None:
    names = [str(number) for number in range(30)]
    async with db.begin(SYSTEM) as tx:
        for name in names:
            tx.emit(fact(name))
            tx.audit("register", f"camera:{name}")
    async with db.begin(SYSTEM) as tx:
        facts = (await tx.execute(select(outbox.c.aggregate).order_by(outbox.c.position))).all()
        entries = (await tx.execute(select(audit.c.canonical).order_by(audit.c.position))).all()
    assert [row.aggregate for row in facts] == [f"camera:{name}" for name in names]
    refs = [json.loads(row.canonical)["object"] for row in entries]
    assert refs == [f"camera:{name}" for name in names]
