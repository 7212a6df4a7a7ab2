"""The use cases by which a partner reconciles the reports that it handed in on one day.

Row-level security limits each transaction to the reports of the calling partner.
"""

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.pages import PageSpec

from citizen_reports.model.days import DayCount, DayReport, count_of, day_of
from citizen_reports.storage.days import page_of_day, reports_of_day


class Days:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def count(self, day: str, caller: Caller) -> DayCount:
        """Count the reports that the calling partner handed in on a day, "YYYY-MM-DD". Raises
        BadRequest."""
        now = self._clock()
        asked = day_of(day, now)
        async with self._db.begin(caller.scope) as tx:
            found = await reports_of_day(tx, caller.name, asked)
        return count_of(asked, found, now)

    async def page(
        self, day: str, spec: PageSpec, caller: Caller
    ) -> tuple[list[DayReport], list[tuple[str, ...]]]:
        """Return a page of the reports that the calling partner handed in on a day, "YYYY-MM-DD",
        and for each its sort key for a page token. Raises BadRequest."""
        asked = day_of(day, self._clock())
        async with self._db.begin(caller.scope) as tx:
            found = await page_of_day(tx, caller.name, asked, spec)
        return [report for report, _ in found], [(key,) for _, key in found]
