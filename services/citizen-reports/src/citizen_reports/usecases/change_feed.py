"""Streams the changes of a partner's reports to the partner's app, without gaps.

A stream starts after a resume token (the number of the last change received) and runs while the app
is connected. Every 200 ms new changes are numbered and, if there are streams, one query reads the
last number of every partner. Then only the streams of partners with new changes query the changes.
"""

import asyncio
from collections.abc import AsyncIterator

from chassis.db import Database
from chassis.identity import Caller

from citizen_reports.model.refusals import ResumeTokenWrong
from citizen_reports.storage import changes
from citizen_reports.storage.changes import Change

POLL_INTERVAL_SECONDS = 0.2
BATCH = 100
TOKEN_DIGITS_MAX = 18


class ChangeFeed:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._last: dict[str, int] = {}
        self._polled = asyncio.Condition()
        self._followers = 0

    async def run(self) -> None:
        """Number new changes every 200 ms until cancelled, and wake the waiting streams."""
        while True:
            await changes.number_new(self._db)
            if self._followers:
                self._last = await changes.last_sequences(self._db)
                async with self._polled:
                    self._polled.notify_all()
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def follow(self, token: str, caller: Caller) -> AsyncIterator[Change]:
        """Return an endless stream of the calling partner's changes.

        `token` is the number of the last change received; "" starts with the next change. Raises
        ResumeTokenWrong if `token` is malformed or above the number of the partner's last change.
        """
        return self._changes_after(await self._start(token, caller), caller)

    async def _changes_after(self, position: int, caller: Caller) -> AsyncIterator[Change]:
        self._followers += 1
        try:
            while True:
                async with self._db.begin(caller.scope) as tx:
                    found = await changes.changes_after(tx, caller.name, position, BATCH)
                for change in found:
                    yield change
                    position = change.sequence
                if len(found) < BATCH:
                    await self._wait_for_more(caller.name, position)
        finally:
            self._followers -= 1

    async def _start(self, token: str, caller: Caller) -> int:
        await changes.number_new(self._db)  # a new stream starts after all committed changes
        last = (await changes.last_sequences(self._db)).get(caller.name, 0)
        if not token:
            return last
        well_formed = token.isascii() and token.isdigit() and len(token) <= TOKEN_DIGITS_MAX
        if not well_formed or int(token) > last:
            raise ResumeTokenWrong
        return int(token)

    async def _wait_for_more(self, partner: str, position: int) -> None:
        async with self._polled:
            await self._polled.wait_for(lambda: self._last.get(partner, 0) > position)
