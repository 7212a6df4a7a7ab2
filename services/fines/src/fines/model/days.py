"""A fine's terms as KoAP counts them: in working or calendar days, from the day of delivery.

Art. 739: the starting day is not counted and a term ends at 24:00 of its last day; terms in
"сутки" skip days off. The days themselves are the country's: `law.calendar`, `law.zone`.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from law.assumed import assumed_years
from law.calendar import Calendar
from law.zone import almaty_day as almaty_day
from law.zone import in_almaty as in_almaty
from law.zone import start_of as start_of

_ONE_DAY = timedelta(days=1)

DISCOUNT_DAYS = 7
CONSIDERED_DAYS = 15
APPEAL_DAYS = 10
VOLUNTARY_DAYS = 30
ENFORCEMENT_CALENDAR_DAYS = 10


class DayCount(Enum):
    WORKING = "WORKING"
    CALENDAR = "CALENDAR"


@dataclass(frozen=True)
class LegalDates:
    """Each is the last day of its term; what they are counted with is part of the decision."""

    delivered_on: date
    discount_until: date
    considered_on: date
    appeal_until: date
    in_force_on: date
    voluntary_until: date
    enforcement_by: date
    day_count: DayCount
    calendar_version: str

    @property
    def assumed_years(self) -> tuple[int, ...]:
        return assumed_years(self.calendar_version)


def legal_dates(delivered_on: date, calendar: Calendar, count: DayCount) -> LegalDates:
    """Arts. 811, 817, 826-2, 883, 893, 894. Raises TableYearMissing."""

    def after(day: date, days: int) -> date:
        if count is DayCount.CALENDAR:
            return day + timedelta(days=days)
        return calendar.after(day, days)

    considered = after(delivered_on, CONSIDERED_DAYS)
    appeal = after(considered, APPEAL_DAYS)
    in_force = appeal + _ONE_DAY
    voluntary = after(in_force, VOLUNTARY_DAYS)
    counted = count is DayCount.WORKING
    return LegalDates(
        delivered_on=delivered_on,
        discount_until=after(delivered_on, DISCOUNT_DAYS),
        considered_on=considered,
        appeal_until=appeal,
        in_force_on=in_force,
        voluntary_until=voluntary,
        enforcement_by=voluntary + timedelta(days=ENFORCEMENT_CALENDAR_DAYS),
        day_count=count,
        calendar_version=calendar.version_of(delivered_on, voluntary) if counted else "",
    )


def months_after(day: date, months: int) -> date:
    """The same day of a later month, its last day where there is no such day."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    next_month = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(day.day, (next_month - _ONE_DAY).day))
