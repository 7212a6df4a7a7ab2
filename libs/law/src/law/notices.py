"""Warnings that dates and amounts may be invalid: the clock is offset, a table missing or assumed.

The console shows the warnings on every page, and `tartip status` prints them. In production there
should be no warnings, except those that name a table to be added.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chassis.texts import Message, message_with

from law.yearly import MissingTable, YearlyTables
from law.zone import almaty_day

CLOCK_MOVED, YEAR_ASSUMED, YEAR_MISSING = "CLOCK_MOVED", "YEAR_ASSUMED", "YEAR_MISSING"


@dataclass(frozen=True)
class Notice:
    """A warning; `facts` holds its values: table and year, or clock offset (s) and today's date."""

    code: str
    message: Message
    facts: Mapping[str, str] = field(default_factory=dict)


def notices(now: datetime, tables: YearlyTables, clock_offset: timedelta) -> tuple[Notice, ...]:
    """Return the warnings at `now`: first about the clock, then about missing or assumed tables.

    `now` includes `clock_offset`, by which the clock is moved; an offset of 0 gives no warning.
    """
    missing = tuple(_missing(table, tables.assumes) for table in tables.missing(almaty_day(now)))
    return (_moved(now, clock_offset), *missing) if clock_offset else missing


def _moved(now: datetime, clock_offset: timedelta) -> Notice:
    today = almaty_day(now).isoformat()
    facts = {"offset_seconds": str(round(clock_offset.total_seconds())), "today": today}
    return _notice(CLOCK_MOVED, facts)


def _missing(missing: MissingTable, is_assumed: bool) -> Notice:
    facts = {"table": missing.table, "year": str(missing.year)}
    return _notice(YEAR_ASSUMED if is_assumed else YEAR_MISSING, facts)


def _notice(code: str, facts: dict[str, str]) -> Notice:
    return Notice(code, message_with("law", code, facts), facts)
