"""Streams the changes of all cameras in the register, in order.

Each change gets a position, which says where it stands in this order. Only the replica of the
service that holds a lease (an exclusive right) assigns positions, about five times a second. It
also deletes expired changes. Every replica reads the last position about five times a second. Its
streams read changes only when the last position has advanced.
"""

import asyncio
from collections.abc import AsyncGenerator

from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import SYSTEM
from host.leases import Lease, hold

from camera_registry.model.changes import Position, Step
from camera_registry.storage import changes

POLL_SECONDS = 0.2
FORGET_SECONDS = 600.0
READ_AT_ONCE = 500
# After so long without a change that is told, a stream tells its position alone.
TOKEN_SECONDS = 60.0
# So that no operator goes on with an access token that expired long ago.
OPERATOR_SECONDS = 900.0


class ChangeFeed:
    """The streams of camera changes that one replica of the service sends."""

    def __init__(
        self,
        db: Database,
        *,
        token_seconds: float = TOKEN_SECONDS,
        operator_seconds: float = OPERATOR_SECONDS,
    ) -> None:
        """`token_seconds` and `operator_seconds` are as TOKEN_SECONDS and OPERATOR_SECONDS."""
        self._db = db
        self._token_seconds = token_seconds
        self._operator_seconds = operator_seconds
        self._last = 0
        self._polled = asyncio.Condition()
        self._followers = 0

    async def place(self) -> None:
        """Wait until no other replica assigns positions; then assign positions to new changes and
        delete expired changes until cancelled. Raises LeaseLost, or a database error."""
        async with hold(self._db, "changes") as lease:
            forgot_at = -FORGET_SECONDS
            while True:
                now = asyncio.get_running_loop().time()
                if now - forgot_at >= FORGET_SECONDS:
                    await self.forget(lease)
                    forgot_at = now
                if not await self._place_new(lease):
                    await asyncio.sleep(POLL_SECONDS)

    async def _place_new(self, lease: Lease) -> bool:
        """Place some of the new changes; return whether there may be more."""
        if not await changes.are_any_new(self._db):
            return False
        async with lease.begin(SYSTEM) as tx:
            return await changes.place_new(tx) >= changes.PLACED_AT_ONCE

    async def forget(self, lease: Lease) -> None:
        """Delete all expired changes, in several transactions of limited size."""
        is_more = True
        while is_more:
            async with lease.begin(SYSTEM) as tx:
                is_more = await changes.forget_old(tx) >= changes.FORGOTTEN_AT_ONCE

    async def poll(self) -> None:
        """Until cancelled, read the last position every POLL_SECONDS and wake the waiting
        streams."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self._followers:
                self._last = await changes.last_position(self._db)
                async with self._polled:
                    self._polled.notify_all()

    async def follow(
        self, position: Position | None, region: str, caller: Caller
    ) -> AsyncGenerator[Step, None]:
        """Yield the changes of `region` from `position` on, in order, each with the position at
        which to resume after it. A `region` of "" stands for all regions that the caller may see.
        If `position` is None, first yield the current position alone, then only new changes.

        If there was no change to yield for TOKEN_SECONDS, but changes of other regions advanced the
        position, a position is yielded alone, so that a client can resume from there. A stream for
        an operator ends after OPERATOR_SECONDS; a stream for a service never ends.
        Raises ResumeTokenTooOld or ResumeTokenWrong if the changes cannot be read from `position`
        on.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + self._operator_seconds if caller.operator else None
        if position is None:
            position = await self._now()
            yield Step(None, position)
        stepped_at = clock()
        self._followers += 1
        try:
            while until is None or clock() < until:
                async with self._db.begin(caller.scope) as tx:
                    found = await changes.after(tx, position, region, READ_AT_ONCE)
                for step in found.steps:
                    yield step
                    stepped_at = clock()
                is_late = clock() - stepped_at >= self._token_seconds
                if is_late and found.following != position and not found.steps:
                    yield Step(None, found.following)
                    stepped_at = clock()
                position = found.following
                if not await self._is_more(position, until):
                    return
        finally:
            self._followers -= 1

    async def _now(self) -> Position:
        """The position that follows all changes committed so far."""
        while await changes.are_any_new(self._db):
            async with self._db.begin(SYSTEM) as tx:
                await changes.place_new(tx)
        return Position(await changes.last_position(self._db) + 1)

    async def _is_more(self, position: Position, until: float | None) -> bool:
        """Wait until there is a change at `position` or later. False if there was none until the
        time `until`."""
        try:
            async with asyncio.timeout_at(until), self._polled:
                await self._polled.wait_for(lambda: self._last >= position.number)
        except TimeoutError:
            return False
        return True
