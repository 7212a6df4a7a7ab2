"""Work that waits for a service that is away holds up no other, and costs little."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.clock import system_clock
from chassis.db import Database
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM
from host.scheduler import BATCH, Pauses, Scheduler, WorkHandler

ROWS = 4 * BATCH


class Away(Refusal):
    kind = Kind.UNAVAILABLE
    code = "UNAVAILABLE"


@asynccontextmanager
async def running(db: Database, handlers: dict[str, WorkHandler]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(Scheduler(db, system_clock, handlers).run())
    yield
    task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
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
