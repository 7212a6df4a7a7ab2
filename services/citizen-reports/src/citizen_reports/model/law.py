"""The legal tables of this service, read once at its start."""

from dataclasses import dataclass

from law.report_deadlines import read_report_deadlines
from law.report_outcomes import ReportOutcomes, read_report_outcomes
from law.report_retention import ReportRetention, read_report_retention
from law.report_routing import ReportRouting, read_report_routing

from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.routing import BuiltInRouter, Router, built_in_rules


@dataclass(frozen=True)
class Law:
    deadlines: Deadlines
    routing: ReportRouting
    outcomes: ReportOutcomes
    # Decides which unit receives a report: by the table `routing`, unless other rules are active.
    router: Router
    retention: ReportRetention


def read_law(*, assume_years: bool = False) -> Law:
    """Read the legal tables shipped with the library `law`. With `assume_years` (trial runs only),
    the calendars of the years after the last calendar table are derived; see `law.yearly`."""
    deadlines = Deadlines(read_report_deadlines(assume_years=assume_years))
    routing = read_report_routing()
    outcomes, retention = read_report_outcomes(), read_report_retention()
    calendar = deadlines.table.hours.calendar
    router = BuiltInRouter(built_in_rules(routing), calendar.is_working_or_weekday)
    return Law(deadlines, routing, outcomes, router, retention)
