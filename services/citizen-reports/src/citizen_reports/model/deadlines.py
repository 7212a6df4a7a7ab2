"""The legal deadlines of reports; a missing calendar is refused by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from law.refusals import TableYearMissing
from law.report_deadlines import Deadline, ReportDeadlines

from citizen_reports.model.categories import Category
from citizen_reports.model.refusals import CalendarYearMissing


@dataclass(frozen=True)
class Deadlines:
    """Computes the legal deadlines of reports. Each method raises CalendarYearMissing if the
    calendar of a year that it needs is missing."""

    table: ReportDeadlines

    def of(self, category: Category, region: str, registered_at: datetime) -> Deadline:
        """Return the deadline of a report of this category registered at `registered_at`."""
        with _refused_by_name():
            return self.table.of(category, region, registered_at)

    def of_dispute(self, category: Category, region: str, disputed_at: datetime) -> Deadline:
        """Return the new deadline of a report whose answer was disputed at `disputed_at`."""
        with _refused_by_name():
            return self.table.of_dispute(category, region, disputed_at)

    def after_taking(self, current: Deadline, registered_at: datetime) -> Deadline:
        """Return the deadline of a report after an operator has taken it. If the rule of `current`
        names a further time limit, that limit is counted from `registered_at`. Otherwise `current`
        is returned."""
        with _refused_by_name():
            return self.table.after_taking(current, registered_at)

    def after_waiting(self, current: Deadline, waited: timedelta) -> Deadline:
        """Return the deadline `current`, extended by `waited`, the time spent waiting for the
        reporter."""
        with _refused_by_name():
            return self.table.after_waiting(current, waited)


@contextmanager
def _refused_by_name() -> Iterator[None]:
    try:
        yield
    except TableYearMissing as missing:
        raise CalendarYearMissing(facts={"year": str(missing.year)}) from missing
