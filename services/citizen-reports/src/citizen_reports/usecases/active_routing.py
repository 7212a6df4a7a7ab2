"""Keeps the active routing rules in memory, so that routing a report needs no database access.

The rules are read every REFRESH_SECONDS, so a newly activated version takes effect in every process
within this time. While the database is unavailable, the rules that were read last stay in use.
"""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from chassis.clock import Clock
from chassis.db import Database, storage_is_away
from chassis.refusals import StorageAway
from chassis.transaction import SYSTEM, Tx

from citizen_reports.model.routing import (
    BUILT_IN,
    BuiltInRouter,
    Facts,
    IsWorking,
    Routed,
    RuleSet,
)
from citizen_reports.storage import routing

REFRESH_SECONDS = 2.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """Which routing rules are active when: those in `starts` from their start on, in order of time,
    and `built_in` before the first start."""

    starts: tuple[tuple[datetime, RuleSet], ...]
    built_in: RuleSet

    def periods(self, now: datetime) -> Iterator[tuple[datetime, datetime | None, RuleSet]]:
        """Yield the rules that are active from `now` on, each with the start and the end of the
        period in which they are active. The end of the last period is None."""
        later = [start for start in self.starts if start[0] > now]
        starts = [(now, self.at(now)), *later]
        ends = [*(at for at, _ in later), None]
        for (begin, rules), end in zip(starts, ends, strict=True):
            yield begin, end, rules

    def next_start(self, moment: datetime) -> datetime | None:
        """Return the first start of rules after `moment`; None if no later rules are planned."""
        return next((active_from for active_from, _ in self.starts if active_from > moment), None)

    def at(self, moment: datetime) -> RuleSet:
        """Return the rules that are active at `moment`."""
        begun = [rules for active_from, rules in self.starts if active_from <= moment]
        return begun[-1] if begun else self.built_in


class ActiveRouting:
    """The router that decides by the rules active at the moment of a report's registration."""

    def __init__(self, db: Database, clock: Clock, built_in: BuiltInRouter) -> None:
        self._db = db
        self._clock = clock
        self._built_in = built_in
        self._schedule: Schedule | None = None

    @property
    def built_in(self) -> RuleSet:
        return self._built_in.rules

    @property
    def is_working(self) -> IsWorking:
        return self._built_in.is_working

    def decide(self, facts: Facts) -> Routed:
        """Return which unit receives a report, and why. Raises StorageAway until a `refresh`."""
        if self._schedule is None:
            raise StorageAway
        return self._schedule.at(facts.moment).decide(facts, self.is_working)

    async def run(self) -> None:
        """Read the rules every REFRESH_SECONDS until cancelled. If the database is unavailable, the
        failure is logged and the former rules stay in use. Other errors are raised."""
        while True:
            try:
                await self.refresh()
            except Exception as error:
                if not storage_is_away(error):
                    raise
                log.warning("the routing rules are those of before: %s", type(error).__name__)
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Read the rules now. Raises a database error if this fails."""
        async with self._db.begin(SYSTEM) as tx:
            self._schedule = await self.read(tx)

    async def read(self, tx: Tx) -> Schedule:
        """Return the rules that are active now and the rules that are planned."""
        now = self._clock()
        starts = await routing.activations(tx)
        begun = [one for one in starts if one.active_from <= now][-1:]
        planned = [one for one in starts if one.active_from > now]
        read = [(one.active_from, await self.rules_of(tx, one.version)) for one in begun + planned]
        return Schedule(tuple((at, rules) for at, rules in read if rules), self.built_in)

    async def rules_of(self, tx: Tx, version: int) -> RuleSet | None:
        """Return the rules of a version (BUILT_IN: the table of `law`); None if unknown."""
        if version == BUILT_IN:
            return self.built_in
        found = await routing.find_version(tx, version)
        if found is None:
            return None
        return RuleSet(version, found.rules, found.default_desk, self.built_in.complaint_unit)
