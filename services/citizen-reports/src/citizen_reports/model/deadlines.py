"""The law's deadlines, refused in this service's own name where a year has no calendar."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from law.refusals import TableYearMissing
from law.report_deadlines import Deadline, ReportDeadlines

from citizen_reports.model.refusals import CalendarYearMissing
from citizen_reports.model.report import Category


@dataclass(frozen=True)
class Deadlines:
    """Whatever counts days raises CalendarYearMissing."""

    table: ReportDeadlines

    def of(self, category: Category, region: str, registered_at: datetime) -> Deadline:
        with _refused_by_name():
            return self.table.of(category, region, registered_at)

    def of_dispute(self, category: Category, region: str, disputed_at: datetime) -> Deadline:
        with _refused_by_name():
            return self.table.of_dispute(category, region, disputed_at)

    def after_taking(self, current: Deadline, registered_at: datetime) -> Deadline:
        with _refused_by_name():
            return self.table.after_taking(current, registered_at)

    def after_waiting(self, current: Deadline, waited: timedelta) -> Deadline:
        with _refused_by_name():
            return self.table.after_waiting(current, waited)


@contextmanager
def _refused_by_name() -> Iterator[None]:
    try:
        yield
    except TableYearMissing as missing:
        raise CalendarYearMissing(facts={"year": str(missing.year)}) from missing
