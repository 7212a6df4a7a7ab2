"""Durable work: deadlines, retries, and calls that an event makes necessary.

Each row of the table `work` is due at a moment and done once its handler returns. A worker leases
the row and calls the handler outside of any transaction; the handler opens its own. A handler that
raises, or takes longer than HANDLER_SECONDS, is called again with growing delays, without limit.
The column `attempts` and the log show failures. A handler must be safe to repeat: it is called
again if the process or the database fails before the row is marked as done.

The worker renews its leases while handlers run. What a process did that was killed is so done by
another, or by the same one after its restart, LEASE_SECONDS later.

While a service that handlers of one kind call is away, that kind is tried with a few rows every few
seconds. Handlers that are slow, such as those that call a service that is hung, go on beside the
others, a few of each kind; for kinds whose work is heavy the service says how many rows are done at
once. So thousands of rows that wait for a service cost nothing, and hold up no work of another
kind.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from chassis import telemetry
from chassis.clock import Clock
from chassis.db import Database, storage_is_away
from chassis.refusals import Kind, Refusal
from chassis.tables import service_now, work
from chassis.transaction import SYSTEM
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    LargeBinary,
    Row,
    TableValuedAlias,
    Text,
    Update,
    all_,
    bindparam,
    column,
    func,
    select,
    true,
    update,
)
from vault import row_codes

POLL_SECONDS = 0.25
BATCH = 16
# A lease that is renewed three times before it expires survives a database that is slow for once.
LEASE_SECONDS = 10
RENEW_SECONDS = 3.0
HANDLER_SECONDS = 55
DELAY_MAX_SECONDS = 600
AWAY_SECONDS = 5.0
# How long a batch waits for its rows, and from how many slow rows on a kind is leased no more.
PATIENCE_SECONDS = 2.0
SLOW_MAX = 4
# So many rows are begun together: more would only make each wait for the others' turns. One that
# takes longer than BRIEF_SECONDS waits for something else, and holds up no other row.
TOGETHER = 4
BRIEF_SECONDS = 0.05
log = logging.getLogger(__name__)

WorkHandler = Callable[[str], Awaitable[None]]
_Work = Row[tuple[object, ...]]


class WaitUntilDue(Exception):
    """Raised by a handler that was called too early, to be called again after `delay`."""

    def __init__(self, delay: timedelta) -> None:
        super().__init__()
        self.delay = delay


class Pauses:
    """The kinds of work that are not tried for a moment, because a service that their handlers call
    is unavailable."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._until: dict[str, float] = {}

    def left_out(self) -> set[str]:
        """Return the kinds that are not tried now."""
        now = time.monotonic()
        return {kind for kind, until in self._until.items() if now < until}

    def note(self, kind: str, *, is_away: bool) -> None:
        """Record the result of a row. `is_away` says that it failed because a service was
        unavailable. A row that was done, or failed for another reason, ends the pause of its
        kind."""
        if not is_away:
            self._seconds.pop(kind, None)
            self._until.pop(kind, None)
        elif kind not in self.left_out():
            seconds = min(AWAY_SECONDS, 2 * self._seconds.get(kind, 0.25))
            self._seconds[kind], self._until[kind] = seconds, time.monotonic() + seconds


class Scheduler:
    """Runs the scheduled work of one schema; several processes share the work by leases."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        handlers: Mapping[str, WorkHandler],
        at_once: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`handlers` by kind. `at_once` has, for some kinds, how many rows are done at once."""
        self._db = db
        self._clock = clock
        self._handlers = handlers
        self._at_once = at_once
        self._pauses = Pauses()
        # What is being done; between two batches only what is slow.
        self._doing: dict[asyncio.Task[None], _Work] = {}
        self._renewed_at = 0.0
        self._done: list[_Work] = []
        self._marking = asyncio.Lock()

    async def run(self) -> None:
        """Lease due work and call its handlers, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._renew()
                    rows = await self._lease()
                except Exception as error:
                    log.warning("work not leased: %s", type(error).__name__)
                    await asyncio.sleep(1.0)
                    continue
                await self._do_all(rows, group)
                if len(rows) < BATCH:
                    await asyncio.sleep(POLL_SECONDS)

    async def _lease(self) -> list[_Work]:
        now = self._clock()
        until = now + timedelta(seconds=LEASE_SECONDS)
        room = self._room()
        wanted = {"kinds": list(room), "most": list(room.values()), "doing": self._doing_ids()}
        async with self._db.begin(SYSTEM) as tx:
            leased = await tx.execute(_LEASING, {"now": now, "until": until, **wanted})
            return list(leased.all())

    def _doing_ids(self) -> list[int]:
        """The ids of the rows that are being done. Their leases may have expired nevertheless: the
        database was unavailable, or the clock was moved."""
        return [row.work_id for task, row in self._doing.items() if not task.done()]

    async def _renew(self) -> None:
        """Renew the leases of what is being done, once in RENEW_SECONDS."""
        if time.monotonic() - self._renewed_at < RENEW_SECONDS or not self._doing_ids():
            return
        until = self._clock() + timedelta(seconds=LEASE_SECONDS)
        async with self._marking:  # whose transactions lock rows in an order of their own
            rows = [row for task, row in self._doing.items() if not task.done()]
            async with self._db.begin(SYSTEM) as tx:
                await tx.execute(_RENEWING, {**_leases_of(rows), "until": until})
        self._renewed_at = time.monotonic()

    def _room(self) -> dict[str, int]:
        """How many rows of which kinds may be begun now."""
        doing = Counter(row.kind for row in self._doing.values())
        paused = self._pauses.left_out()
        room = {}
        for kind in self._handlers.keys() - paused:
            most = self._at_once.get(kind)
            if most is not None:
                room[kind] = most - doing[kind]
            else:
                room[kind] = BATCH if doing[kind] < SLOW_MAX else 0
        return {kind: rows for kind, rows in sorted(room.items()) if rows}

    async def _do_all(self, rows: list[_Work], group: asyncio.TaskGroup) -> None:
        """Start these rows, a few at a time, and wait until each is done or slow. Heavy rows are
        not waited for."""
        quick: set[asyncio.Task[None]] = set()
        begun: dict[asyncio.Task[None], float] = {}
        for row in rows:
            is_heavy = row.kind in self._at_once
            if not is_heavy:
                begun = await _with_room(begun)
            task = group.create_task(self._do(row))
            self._doing[task] = row
            if not is_heavy:
                quick.add(task)
                begun[task] = time.monotonic()
        if quick:
            await asyncio.wait(quick, timeout=PATIENCE_SECONDS)
        for task in [task for task in self._doing if task.done()]:
            del self._doing[task]

    async def _do(self, row: _Work) -> None:
        """Call a row's handler, and mark the row."""
        first, traced, is_away = row.attempts == 1, row.traceparent, False
        try:
            with telemetry.span(
                f"work {row.kind}",
                parent=telemetry.context_from(row.traceparent) if first else None,
                links=[] if first else telemetry.link_to(row.traceparent),
                story=row.story,
                attributes={"tartip.attempt": row.attempts},
            ):
                traced = telemetry.traceparent()
                async with asyncio.timeout(HANDLER_SECONDS):
                    await self._handlers[row.kind](row.key)
        except WaitUntilDue as wait:
            await self._again(row, wait.delay, "waits")
        except Exception as error:
            is_away = isinstance(error, Refusal) and error.kind is Kind.UNAVAILABLE
            with telemetry.about(traced):
                await self._failed(row, error, is_away=is_away)
        else:
            await self._mark_done(row)
        self._pauses.note(row.kind, is_away=is_away)

    async def _failed(self, row: _Work, error: Exception, *, is_away: bool) -> None:
        """Log why a row was not done, and have it done again later."""
        delay = min(DELAY_MAX_SECONDS, 0.5 * 2 ** min(row.attempts, 12))
        reason = error.reason if isinstance(error, Refusal) else type(error).__name__
        if is_away or storage_is_away(error):
            delay = min(delay, AWAY_SECONDS)
            log.warning("work %s later: %s", row.kind, reason)
        else:
            log.error(
                "work %s failed, attempt %s: %s", row.kind, row.attempts, reason, exc_info=error
            )
        await self._again(row, timedelta(seconds=delay * random.uniform(0.8, 1.2)), reason)

    async def _again(self, row: _Work, delay: timedelta, reason: str) -> None:
        again_at = self._clock() + delay
        mac = self._code(row, again_at, done=False)
        await self._mark([row], [mac], _AGAIN, {"again_at": again_at, "reason": reason})

    def _code(self, row: _Work, due_at: datetime, *, done: bool) -> bytes | None:
        """The code of a row as it will be. Work that somebody other than this service added or
        moved is done, but the row keeps its code, so that `tartip verify` still finds it."""
        if not row_codes.is_own_work(self._db.keyring, row):
            return bytes(row.mac) if row.mac else None
        return row_codes.of_work(self._db.keyring, row.kind, row.key, due_at, done=done)

    async def _mark_done(self, row: _Work) -> None:
        """Mark a row as done. Rows that end while others are being marked are marked together."""
        self._done.append(row)
        async with self._marking:
            rows, self._done = self._done, []
            if rows:
                macs = [self._code(row, row.due_at, done=True) for row in rows]
                await self._mark(rows, macs, _DONE, {})

    async def _mark(
        self, rows: list[_Work], macs: list[bytes | None], mark: Update, values: dict[str, object]
    ) -> None:
        try:
            async with self._db.begin(SYSTEM) as tx:
                await tx.execute(mark, {**_leases_of(rows), "macs": macs, **values})
        except Exception as error:  # the lease runs out and it is done again: handlers allow it
            kinds = ", ".join(sorted({row.kind for row in rows}))
            log.warning("work %s not marked: %s", kinds, type(error).__name__)


def _leases_of(rows: list[_Work]) -> dict[str, object]:
    """The values of `_LEASES` by which rows are found as they were leased."""
    return {
        "ids": [row.work_id for row in rows],
        "tries": [row.attempts for row in rows],
        "dues": [row.due_at for row in rows],
    }


async def _with_room(begun: dict[asyncio.Task[None], float]) -> dict[asyncio.Task[None], float]:
    """Wait until fewer than TOGETHER of these tasks are both running and brief, and return those.
    The values are when each was begun, by the monotonic clock."""
    while True:
        now = time.monotonic()
        brief = {
            task: at for task, at in begun.items() if not task.done() and now - at < BRIEF_SECONDS
        }
        if len(brief) < TOGETHER:
            return brief
        left = min(brief.values()) + BRIEF_SECONDS - now
        await asyncio.wait(brief, timeout=left, return_when=asyncio.FIRST_COMPLETED)


_NOW = bindparam("now", type_=work.c.due_at.type)
_UNTIL = bindparam("until", type_=work.c.leased_until.type)
_KINDS = (
    func.unnest(bindparam("kinds", type_=ARRAY(Text)), bindparam("most", type_=ARRAY(Integer)))
    .table_valued("kind", column("most", Integer), name="wanted")
    .render_derived()
)
# Of each kind the rows that have been due longest: rows of other kinds are not read.
_DUE_OF_KIND = (
    select(work.c.work_id, work.c.due_at)
    .where(
        work.c.done_at.is_(None),
        work.c.due_at <= _NOW,
        work.c.kind == _KINDS.c.kind,
        (work.c.leased_until.is_(None)) | (work.c.leased_until < _NOW),
        work.c.work_id != all_(bindparam("doing", type_=ARRAY(BigInteger))),
    )
    .order_by(work.c.due_at)
    .limit(_KINDS.c.most)
    .with_for_update(skip_locked=True)
    .lateral("due")
)
_DUE = (
    select(_DUE_OF_KIND.c.work_id)
    .select_from(_KINDS.join(_DUE_OF_KIND, true()))
    .order_by(_DUE_OF_KIND.c.due_at)
    .limit(BATCH)
)
_LEASING = (
    update(work)
    .where(work.c.work_id.in_(_DUE))
    .values(
        leased_until=_UNTIL,
        attempts=work.c.attempts + 1,
    )
    .returning(work)
)
# Rows that are still leased and due as when they were tried: otherwise somebody has moved them, or
# another worker has them by now.
_LEASE = (
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("tries", type_=ARRAY(Integer)),
    bindparam("dues", type_=ARRAY(work.c.due_at.type)),
)
_LEASES = (
    func.unnest(*_LEASE)
    .table_valued("work_id", "attempts", "due_at", name="lease")
    .render_derived()
)
_LEASES_AND_CODES = (
    func.unnest(*_LEASE, bindparam("macs", type_=ARRAY(LargeBinary)))
    .table_valued("work_id", "attempts", "due_at", "mac", name="lease")
    .render_derived()
)


def _of(leases: TableValuedAlias) -> Update:
    return (
        update(work)
        .where(work.c.work_id == leases.c.work_id, work.c.attempts == leases.c.attempts)
        .where(work.c.due_at == leases.c.due_at)
    )


_RENEWING = _of(_LEASES).where(work.c.done_at.is_(None)).values(leased_until=_UNTIL)
_MARKING = _of(_LEASES_AND_CODES).values(mac=_LEASES_AND_CODES.c.mac)
_DONE = _MARKING.values(done_at=service_now, last_error=None)
_AGAIN = _MARKING.values(
    due_at=bindparam("again_at"), leased_until=None, last_error=bindparam("reason")
)
