"""The tables in force, read once when the service starts."""

from dataclasses import dataclass

from citizen_reports.model.deadlines import Deadlines, read_deadlines
from citizen_reports.model.routing import Routing, read_routing


@dataclass(frozen=True)
class Law:
    deadlines: Deadlines
    routing: Routing


def read_law(*, assume_years: bool = False) -> Law:
    """`assume_years` is for trials alone; see `law.yearly`."""
    return Law(read_deadlines(assume_years=assume_years), read_routing())
