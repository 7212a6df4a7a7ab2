"""Watching one partner's changes: from a token on, without gaps, for as long as the app stays.

One look at the counters every 200 ms serves all who watch; only who has something new reads on.
"""

import asyncio
from collections.abc import AsyncIterator

from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import SYSTEM

from citizen_reports.model.refusals import ResumeTokenWrong
from citizen_reports.storage import changes
from citizen_reports.storage.changes import Change

LOOK_EVERY_SECONDS = 0.2
BATCH = 100
TOKEN_DIGITS_MAX = 18


class Watching:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._last: dict[str, int] = {}
        self._looked = asyncio.Condition()
        self._watchers = 0

    async def run(self) -> None:
        """Looks while somebody watches."""
        while True:
            if self._watchers:
                async with self._db.begin(SYSTEM) as tx:
                    self._last = await changes.all_last_sequences(tx)
                async with self._looked:
                    self._looked.notify_all()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def follow(self, token: str, caller: Caller) -> AsyncIterator[Change]:
        """Raises ResumeTokenWrong for a token that this partner was not given."""
        position = await self._start(token, caller)
        self._watchers += 1
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
            self._watchers -= 1

    async def _start(self, token: str, caller: Caller) -> int:
        async with self._db.begin(caller.scope) as tx:
            last = await changes.last_sequence(tx, caller.name)
        if not token:
            return last
        well_formed = token.isascii() and token.isdigit() and len(token) <= TOKEN_DIGITS_MAX
        if not well_formed or int(token) > last:
            raise ResumeTokenWrong
        return int(token)

    async def _wait_for_more(self, partner: str, position: int) -> None:
        async with self._looked:
            await self._looked.wait_for(lambda: self._last.get(partner, 0) > position)
