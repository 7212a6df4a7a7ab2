"""What everybody who works with the mesh must know before he trusts a date or an amount.

Shown by the console on every page and by `tartip status`; in production the list should be empty,
or say which table has to be added.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chassis.refusals import Says

from law.base_values import BASE_VALUES
from law.calendar import CALENDAR
from law.yearly import MissingTable, YearlyTables
from law.zone import almaty_day

CLOCK_MOVED, YEAR_ASSUMED, YEAR_MISSING = "CLOCK_MOVED", "YEAR_ASSUMED", "YEAR_MISSING"
_TABLES = {
    CALENDAR: Says(
        en="working calendar", ru="производственный календарь", kk="жұмыс күндерінің күнтізбесі"
    ),
    BASE_VALUES: Says(
        en="base value (MCI)", ru="месячный расчётный показатель", kk="айлық есептік көрсеткіш"
    ),
}


@dataclass(frozen=True)
class Notice:
    """`facts` are what a program may act on: a table and its year, or by how much it is moved."""

    code: str
    says: Says
    facts: Mapping[str, str] = field(default_factory=dict)


def notices(now: datetime, tables: YearlyTables, clock_offset: timedelta) -> tuple[Notice, ...]:
    """The gravest first. `now` is the moved moment where the clock is moved."""
    missing = tuple(_missing(one, tables.assumes) for one in tables.missing(almaty_day(now)))
    return (_moved(now, clock_offset), *missing) if clock_offset else missing


def _moved(now: datetime, clock_offset: timedelta) -> Notice:
    today = almaty_day(now).isoformat()
    return Notice(
        CLOCK_MOVED,
        Says(
            en=f"Trial: the clock is moved, today is {today}.",
            ru=f"Пробный режим: часы переведены, сегодня {today}.",
            kk=f"Сынақ режимі: сағат жылжытылған, бүгін {today}.",
        ),
        {"offset_seconds": str(round(clock_offset.total_seconds())), "today": today},
    )


def _missing(missing: MissingTable, is_assumed: bool) -> Notice:
    name, year = _TABLES[missing.table], missing.year
    facts = {"table": missing.table, "year": str(year)}
    if is_assumed:
        says = Says(
            en=f"Trial: the {name.en} of {year} is assumed; what is decided with it is not valid.",
            ru=f"Пробный режим: {name.ru} на {year} год принят условно; решения с ним "
            "недействительны.",
            kk=f"Сынақ режимі: {year} жылғы {name.kk} шартты түрде алынған; онымен қабылданған "
            "шешімдер жарамсыз.",
        )
        return Notice(YEAR_ASSUMED, says, facts)
    says = Says(
        en=f"The {name.en} of {year} is missing: what needs it is held or refused.",
        ru=f"Отсутствует {name.ru} на {year} год: всё, что от него зависит, приостановлено.",
        kk=f"{year} жылғы {name.kk} жоқ: оған тәуелді нәрсенің бәрі тоқтатылды.",
    )
    return Notice(YEAR_MISSING, says, facts)
