"""Which unit a citizen's report goes to: category, region and hour, by a table.

Complaints about officers go to one unit of oversight and to no other, whatever the region: the unit
complained about takes no part. What no rule covers goes to the region's manual queue, and so does
what lies abroad: there a person decides.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from law.packaged import tables
from law.zone import in_almaty

# Of the table's categories the one that the table does not route (APPC 67).
COMPLAINT_ABOUT_OFFICER = "complaint_about_officer"


@dataclass(frozen=True)
class RoutingRule:
    category: str
    unit: str
    from_hour: int = 0
    until_hour: int = 24


@dataclass(frozen=True)
class ReportRouting:
    version: str
    units: tuple[str, ...]
    complaint_unit: str
    rules: tuple[RoutingRule, ...]

    def unit_for(
        self, category: str, region: str, moment: datetime, *, abroad: bool = False
    ) -> str:
        """The unit that receives a report: `KZ-75-duty` or, without a fitting rule or for a place
        abroad, `KZ-75-manual`.

        A complaint about an officer always goes to the unit of oversight (APPC 67). `moment` has a
        time zone; hours are those of Almaty.
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
        """Where the desk may send a report: units of its region, or oversight alone."""
        if category == COMPLAINT_ABOUT_OFFICER:
            return frozenset({self.complaint_unit})
        return frozenset(f"{region}-{unit}" for unit in self.units)


def read_report_routing() -> ReportRouting:
    """The table that comes with this package."""
    [raw] = tables("report-routing")
    table = json.loads(raw)
    rules = tuple(RoutingRule(**row) for row in table["rules"])
    return ReportRouting(table["version"], tuple(table["units"]), table["complaint_unit"], rules)
