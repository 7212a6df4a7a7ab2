"""The unit that receives a citizen's report, by category, region and hour.

Complaints about officers from all regions go to a single unit of oversight, so that the unit
complained about is not involved (APPC 67). Reports that no rule covers, and reports about places
abroad, go to the region's manual queue, where a person decides.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from law.packaged import tables
from law.zone import in_almaty

# The one category that the table does not route (APPC 67).
COMPLAINT_ABOUT_OFFICER = "complaint_about_officer"


@dataclass(frozen=True)
class RoutingRule:
    """A rule that routes reports of a category to a unit during certain hours of the day.

    It applies from `from_hour` until just before `until_hour`, Almaty time. `unit` is the name of a
    unit without its region, such as "duty".
    """

    category: str
    unit: str
    from_hour: int = 0
    until_hour: int = 24


@dataclass(frozen=True)
class ReportRouting:
    """One version of the table that routes citizens' reports to units.

    `units` are the names of the units that each region has, without the region. `complaint_unit` is
    the unit of oversight. `may_take` names the units, without the region, that alone may take
    reports of a category.
    """

    version: str
    units: tuple[str, ...]
    complaint_unit: str
    rules: tuple[RoutingRule, ...]
    may_take: Mapping[str, tuple[str, ...]]

    def unit_for(
        self, category: str, region: str, moment: datetime, *, abroad: bool = False
    ) -> str:
        """The unit that receives a report, such as `KZ-75-duty`.

        Reports that no rule fits, or about a place abroad, go to the region's manual queue, such as
        `KZ-75-manual`. A complaint about an officer always goes to the unit of oversight (APPC 67).
        `moment` must have a time zone; rules are for hours in Almaty.
        """
        if category == COMPLAINT_ABOUT_OFFICER:
            return self.complaint_unit
        if abroad:
            return f"{region}-manual"
        hour = in_almaty(moment).hour
        for rule in self.rules:
            if rule.category == category and rule.from_hour <= hour < rule.until_hour:
                return f"{region}-{rule.unit}"
        return f"{region}-manual"

    def units_for(self, category: str, region: str) -> frozenset[str]:
        """The units that may receive a report: all units of its region, or those that may take its
        category; for a complaint about an officer, only the unit of oversight."""
        if category == COMPLAINT_ABOUT_OFFICER:
            return frozenset({self.complaint_unit})
        return frozenset(f"{region}-{unit}" for unit in self.may_take.get(category, self.units))


def read_report_routing() -> ReportRouting:
    """Read the table that routes reports, as shipped with this library."""
    [raw] = tables("report-routing")
    table = json.loads(raw)
    rules = tuple(RoutingRule(**row) for row in table["rules"])
    may_take = {category: tuple(units) for category, units in table["may_take"].items()}
    return ReportRouting(
        table["version"], tuple(table["units"]), table["complaint_unit"], rules, may_take
    )
