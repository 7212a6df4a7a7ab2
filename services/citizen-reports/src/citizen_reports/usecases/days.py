"""The use cases by which a partner compares its own record of one day with the stored reports.

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
        """Count the calling partner's reports that were registered on `day`, "YYYY-MM-DD" in
        Asia/Almaty. Raises BadRequest for a malformed day, or one that has not begun."""
        now = self._clock()
        asked = day_of(day, now)
        async with self._db.begin(caller.scope) as tx:
            found = await reports_of_day(tx, caller.name, asked)
        return count_of(asked, found, now)

    async def page(
        self, day: str, spec: PageSpec, caller: Caller
    ) -> tuple[list[DayReport], list[tuple[str, ...]]]:
        """Return a page of the calling partner's reports that were registered on a day, and for
        each report its sort key for a page token. `day` is as in `count`. Raises BadRequest."""
        asked = day_of(day, self._clock())
        async with self._db.begin(caller.scope) as tx:
            found = await page_of_day(tx, caller.name, asked, spec)
        return [report for report, _ in found], [(key,) for _, key in found]
