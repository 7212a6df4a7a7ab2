"""The legal dates of a fine, counted from the day of delivery in working or calendar days.

KoAP Art. 739: the starting day is not counted, a time limit ends at 24:00 of its last day, and time
limits in "сутки" (days) skip days off. See `law.fine_terms` for the length of each time limit,
`law.calendar` for days off, `law.zone` for the day in Almaty.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum

from law.assumed import assumed_years
from law.calendar import Calendar
from law.editions import Editions
from law.fine_terms import FineTerms
from law.zone import start_of

_ONE_DAY = timedelta(days=1)


class DayCount(Enum):
    """Whether the days of a fine's time limits are counted as working days or as calendar days."""

    WORKING = "WORKING"
    CALENDAR = "CALENDAR"


@dataclass(frozen=True)
class LegalDates:
    """The legal dates of a fine, with the kind of days counted and the version of the calendar.

    Dates named `_until` or `_by` are the last day of a time limit; `considered_on` is the day on
    which the fine is deemed considered. `calendar_version` is "" if calendar days were counted.
    """

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
    def discount_over_at(self) -> datetime:
        """The moment after which the full amount is due: the end of the day `discount_until`."""
        return start_of(self.discount_until + _ONE_DAY)

    @property
    def assumed_years(self) -> tuple[int, ...]:
        """The years whose calendar was assumed for a trial run; empty for legally valid dates."""
        return assumed_years(self.calendar_version)


def legal_dates(
    delivered_on: date, calendar: Calendar, editions: Editions[FineTerms], count: DayCount
) -> LegalDates:
    """Compute the legal dates of a fine by the time limits in force on the day of delivery.

    KoAP Arts. 811, 817, 826-2, 883, 893 and 894. Raises EditionMissing or TableYearMissing.
    """
    terms = editions.on(delivered_on)

    def after(day: date, days: int) -> date:
        if count is DayCount.CALENDAR:
            return day + timedelta(days=days)
        return calendar.after(day, days)

    considered = after(delivered_on, terms.considered_days)
    appeal = after(considered, terms.appeal_days)
    in_force = appeal + _ONE_DAY
    voluntary = after(in_force, terms.voluntary_days)
    counted = count is DayCount.WORKING
    return LegalDates(
        delivered_on=delivered_on,
        discount_until=after(delivered_on, terms.discount_days),
        considered_on=considered,
        appeal_until=appeal,
        in_force_on=in_force,
        voluntary_until=voluntary,
        enforcement_by=voluntary + timedelta(days=terms.enforcement_calendar_days),
        day_count=count,
        calendar_version=calendar.version_of(delivered_on, voluntary) if counted else "",
    )


def last_day_to_send(occurred_on: date, terms: FineTerms) -> date:
    """The last day to send a prescription, the order to pay a fine, to the vehicle's owner.

    By KoAP 822-1(3), with the day of the offence as day 0.
    """
    return occurred_on + timedelta(days=terms.sent_within_calendar_days)


def last_day_of_liability(occurred_on: date, terms: FineTerms) -> date:
    """The last day on which a fine may be imposed for an offence (KoAP 62(1))."""
    return months_after(occurred_on, terms.limitation_months)


def months_after(day: date, months: int) -> date:
    """The same day of the month, `months` later, or the last day of a month without that day."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    next_month = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(day.day, (next_month - _ONE_DAY).day))
