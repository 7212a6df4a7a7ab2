"""Work that waits for a service that is away holds up no other, and costs little."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM
from host import scheduler
from host.scheduler import BATCH, TOGETHER, Pauses, Scheduler, WorkHandler
from sqlalchemy import text

ROWS = 4 * BATCH


class Away(Refusal):
    kind = Kind.UNAVAILABLE
    code = "UNAVAILABLE"


@asynccontextmanager
async def running(
    db: Database, handlers: dict[str, WorkHandler], **at_once: int
) -> AsyncIterator[None]:
    task = asyncio.ensure_future(Scheduler(db, system_clock, handlers, at_once).run())
    yield
    task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_work_whose_peer_is_away_goes_behind_all_other_and_is_done_when_it_is_back(
    db: Database,
) -> None:
    tried, done = Counter[str](), set[str]()
    is_away = True

    async def ask(key: str) -> None:
        tried["ask"] += 1
        if is_away:
            raise Away
        done.add(key)

    async def tell(_: str) -> None:
        tried["tell"] += 1

    now = system_clock()
    async with db.begin(SYSTEM) as tx:
        for number in range(ROWS):
            await tx.schedule("ask", str(number), now - timedelta(minutes=2))
        await tx.schedule("tell", "once", now - timedelta(minutes=1))
    async with running(db, {"ask": ask, "tell": tell}):
        await until(lambda: tried["tell"] > 0)
        assert tried["ask"] == BATCH  # and not each row that has been due longer
        is_away = False
        await until(lambda: len(done) == ROWS)


async def test_work_whose_peer_is_hung_holds_up_no_other(db: Database) -> None:
    begun, answered, told = Counter[str](), asyncio.Event(), list[str]()

    async def ask(key: str) -> None:
        begun[key] += 1
        await answered.wait()

    async def tell(key: str) -> None:
        told.append(key)

    now = system_clock()
    async with db.begin(SYSTEM) as tx:
        for number in range(ROWS):
            await tx.schedule("ask", str(number), now - timedelta(minutes=2))
        for number in range(ROWS):
            await tx.schedule("tell", str(number), now - timedelta(minutes=1))
    async with running(db, {"ask": ask, "tell": tell}):
        await until(lambda: len(told) == ROWS)
        assert len(begun) == BATCH
        answered.set()
        await until(lambda: len(begun) == ROWS)
    assert set(begun.values()) == {1}


async def test_of_heavy_work_a_few_rows_are_done_at_once_and_the_others_wait_untouched(
    db: Database,
) -> None:
    doing, most, done, told = set[str](), 0, Counter[str](), list[str]()

    async def draw(key: str) -> None:
        nonlocal most
        doing.add(key)
        most = max(most, len(doing))
        await asyncio.sleep(0.01)
        doing.remove(key)
        done[key] += 1

    async def tell(key: str) -> None:
        told.append(key)

    now = system_clock()
    async with db.begin(SYSTEM) as tx:
        for number in range(BATCH):
            await tx.schedule("draw", str(number), now - timedelta(minutes=2))
        await tx.schedule("tell", "at once", now - timedelta(minutes=1))
    async with running(db, {"draw": draw, "tell": tell}, draw=2):
        await until(lambda: len(told) == 1)
        assert done.total() <= 2
        await until(lambda: done.total() == BATCH)
    assert most == 2
    async with db.begin(SYSTEM) as tx:
        tries = text("SELECT sum(attempts) FROM work WHERE kind = 'draw'")
        assert await tx.scalar(tries) == BATCH


async def test_rows_are_begun_a_few_together_so_that_each_is_done_soon(db: Database) -> None:
    doing, most, done = set[str](), 0, list[str]()

    async def tell(key: str) -> None:
        nonlocal most
        doing.add(key)
        most = max(most, len(doing))
        await asyncio.sleep(0.01)
        doing.remove(key)
        done.append(key)

    async with db.begin(SYSTEM) as tx:
        for number in range(ROWS):
            await tx.schedule("tell", str(number), system_clock() - timedelta(minutes=1))
    async with running(db, {"tell": tell}):
        await until(lambda: len(done) == ROWS)
    assert most == TOGETHER


@pytest.fixture
def brief_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "LEASE_SECONDS", 1)
    monkeypatch.setattr(scheduler, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(scheduler, "PATIENCE_SECONDS", 0.1)


@pytest.mark.usefixtures("brief_leases")
async def test_slow_work_stays_leased_and_is_done_once_by_one_of_two_workers(db: Database) -> None:
    begun, done = Counter[str](), list[str]()

    async def draw(key: str) -> None:
        begun[key] += 1
        await asyncio.sleep(2.5)
        done.append(key)

    async with db.begin(SYSTEM) as tx:
        await tx.schedule("draw", "slow", system_clock())
    async with running(db, {"draw": draw}), running(db, {"draw": draw}):
        await until(lambda: bool(done))
    assert begun == {"slow": 1}


@pytest.mark.usefixtures("brief_leases")
async def test_what_a_stopped_worker_left_is_done_by_another_once_its_lease_expired(
    db: Database,
) -> None:
    left, done = asyncio.Event(), asyncio.Event()

    async def leave(_: str) -> None:
        left.set()
        await asyncio.sleep(3600)

    async def draw(_: str) -> None:
        done.set()

    async with db.begin(SYSTEM) as tx:
        await tx.schedule("draw", "left", system_clock())
    async with running(db, {"draw": leave}):
        await left.wait()
    async with running(db, {"draw": draw}), asyncio.timeout(30):
        await done.wait()


@pytest.mark.usefixtures("brief_leases")
async def test_a_clock_that_jumps_has_a_worker_do_nothing_twice_at_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "RENEW_SECONDS", float("inf"))  # it may come too late
    begun, ahead = Counter[str](), timedelta()

    async def draw(key: str) -> None:
        nonlocal ahead
        begun[key] += 1
        ahead += timedelta(days=1)
        await asyncio.sleep(1.0)

    task = asyncio.ensure_future(
        Scheduler(db, lambda: system_clock() + ahead, {"draw": draw}).run()
    )
    async with db.begin(SYSTEM) as tx:
        await tx.schedule("draw", "once", system_clock())
    await until(lambda: bool(begun))
    await asyncio.sleep(0.8)
    assert begun == {"once": 1}
    task.cancel()


async def test_due_work_is_found_without_reading_past_that_of_paused_kinds(db: Database) -> None:
    """An outage of a service leaves tens of thousands of rows, and a lease is four times a
    second."""
    now = system_clock()
    with pytest.raises(_Undone):
        async with db.begin(SYSTEM) as tx:
            await tx.execute(_MANY, {"due_at": now - timedelta(hours=1)})
            await tx.schedule("other", "once", now - timedelta(minutes=1))
            before = await tx.scalar(_READ)
            values = {
                "now": now,
                "until": now + timedelta(minutes=1),
                "kinds": ["other"],
                "most": [BATCH],
                "doing": [],
            }
            leased = (await tx.execute(scheduler._LEASING, values)).all()
            assert [row.key for row in leased] == ["once"]
            assert await tx.scalar(_READ) - before < 100
            raise _Undone


class _Undone(Exception):
    """Takes the transaction back."""


_MANY = text(
    "INSERT INTO work (kind, key, due_at, traceparent, story)"
    " SELECT 'paused', n::text, :due_at, '', '' FROM generate_series(1, 5000) AS n"
)
# Rows that this transaction has read.
_READ = text(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
    " WHERE relid = 'work'::regclass"
)


def test_a_row_that_was_done_ends_the_pauses_of_its_kind() -> None:
    pauses = Pauses()
    pauses.note("ask", is_away=True)
    pauses.note("ask", is_away=True)  # of the same batch
    assert pauses.left_out() == {"ask"}
    assert pauses._seconds == {"ask": 0.5}
    pauses.note("tell", is_away=False)
    assert pauses.left_out() == {"ask"}
    pauses.note("ask", is_away=False)
    assert pauses.left_out() == set()
