"""The time of Asia/Almaty: UTC+6 until 29 February 2024, UTC+5 in the whole country since.

The offset is fixed here and not read from the host: old time zone tables would be wrong by an hour,
and near midnight by a day.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone

ONE_ZONE_SINCE = datetime(2024, 2, 29, 19, tzinfo=UTC)
WRITTEN_YEARS = range(2000, 2101)
UTC_PLUS_5, UTC_PLUS_6 = timezone(timedelta(hours=5)), timezone(timedelta(hours=6))


def in_almaty(moment: datetime) -> datetime:
    """The same moment with the offset in force in Almaty; `moment` must have a time zone."""
    assert moment.tzinfo is not None
    return moment.astimezone(UTC_PLUS_5 if moment >= ONE_ZONE_SINCE else UTC_PLUS_6)


def almaty_day(moment: datetime) -> date:
    """The calendar day in Almaty on which a moment falls."""
    return in_almaty(moment).date()


def start_of(day: date) -> datetime:
    """The moment, in UTC, at which a day begins in Almaty."""
    zone = UTC_PLUS_5 if day >= date(2024, 3, 1) else UTC_PLUS_6
    return datetime.combine(day, time(), zone).astimezone(UTC)


def parse_day(text: str) -> date | None:
    """Parse a day from 2000 to 2100 written YYYY-MM-DD; None for any other text.

    Other forms of ISO 8601 are not accepted.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text and day.year in WRITTEN_YEARS else None
