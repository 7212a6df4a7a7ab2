"""The metric of this service: how many yearly legal tables are missing."""

from collections.abc import Iterable

from chassis.clock import Clock
from chassis.telemetry import meter
from law.base_values import BASE_VALUES
from law.calendar import CALENDAR
from law.yearly import YearlyTables
from law.zone import almaty_day
from opentelemetry.metrics import CallbackOptions, Observation


def measure_missing_tables(tables: YearlyTables, clock: Clock) -> None:
    """Export the gauge `tartip.law.tables_missing`: the number of years that each yearly table
    lacks.

    Next year's base value counts as missing from 1 December, next year's calendar from 1 September,
    so that an alert on any value above 0 leaves time to add the table.
    """

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return missing_tables(tables, clock)

    meter.create_observable_gauge("tartip.law.tables_missing", callbacks=[observe], unit="{year}")


def missing_tables(tables: YearlyTables, clock: Clock) -> list[Observation]:
    missing = [absent.table for absent in tables.missing(almaty_day(clock()))]
    return [
        Observation(missing.count(table), {"table": table}) for table in (CALENDAR, BASE_VALUES)
    ]
