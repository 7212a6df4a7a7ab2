"""The use cases that count, by unit and officer, the reports that the caller may see."""

from datetime import datetime, timedelta

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Checks, checks
from law.regions import REGIONS

from citizen_reports.model.board import UnitFigures, UnitLoad
from citizen_reports.storage import board

PERIOD_MAX = timedelta(days=366)


class Board:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def loads(self, region: str, caller: Caller) -> tuple[UnitLoad, ...]:
        """Return the numbers of open reports of each unit and its officers, in one region or, for
        "", in all regions that the caller may see. Units with the most unassigned reports come
        first. Raises BadRequest for an unknown region."""
        with checks() as check:
            _require_region(check, region)
        async with self._db.begin(caller.scope) as tx:
            return await board.loads(tx, region, self._clock())

    async def figures(
        self, region: str, start: datetime | None, end: datetime | None, caller: Caller
    ) -> tuple[UnitFigures, ...]:
        """Return the figures of each unit for the reports registered from `start` until before
        `end`, in one region or, for "", in all regions that the caller may see. Raises BadRequest
        for an unknown region, a missing bound, an empty period, or one longer than PERIOD_MAX."""
        with checks() as check:
            _require_region(check, region)
            is_right = start is not None and end is not None and start < end <= start + PERIOD_MAX
            check.that(
                is_right, "registered_until", "a period of at most 366 days", code="PERIOD_WRONG"
            )
        assert start is not None and end is not None
        async with self._db.begin(caller.scope) as tx:
            return await board.figures(tx, region, (start, end), self._clock())


def _require_region(check: Checks, region: str) -> None:
    known = not region or region in REGIONS
    check.that(known, "region", "an ISO code such as KZ-75", code="REGION_UNKNOWN")
