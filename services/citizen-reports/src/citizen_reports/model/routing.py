"""Which unit a report goes to: category, region and hour, by a table.

Complaints about officers go to one unit of oversight and to no other, whatever the region: the unit
complained about takes no part. What no rule covers goes to the region's manual queue, and so does
what lies abroad: there a person decides.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from law.zone import in_almaty

from citizen_reports.model.report import Category


@dataclass(frozen=True)
class RoutingRule:
    category: Category
    unit: str
    from_hour: int = 0
    until_hour: int = 24


@dataclass(frozen=True)
class Routing:
    version: str
    units: tuple[str, ...]
    complaint_unit: str
    rules: tuple[RoutingRule, ...]

    def unit_for(
        self, category: Category, region: str, moment: datetime, *, abroad: bool = False
    ) -> str:
        if category is Category.COMPLAINT_ABOUT_OFFICER:
            return self.complaint_unit
        if abroad:
            return f"{region}-manual"
        hour = in_almaty(moment).hour
        for rule in self.rules:
            if rule.category is category and rule.from_hour <= hour < rule.until_hour:
                return f"{region}-{rule.unit}"
        return f"{region}-manual"

    def units_for(self, category: Category, region: str) -> frozenset[str]:
        """Where the desk may send a report: units of its region, or oversight alone."""
        if category is Category.COMPLAINT_ABOUT_OFFICER:
            return frozenset({self.complaint_unit})
        return frozenset(f"{region}-{unit}" for unit in self.units)


def read_routing() -> Routing:
    table = json.loads((files("citizen_reports") / "law" / "routing.json").read_text())
    rules = tuple(
        RoutingRule(**{**row, "category": Category(row["category"])}) for row in table["rules"]
    )
    return Routing(table["version"], tuple(table["units"]), table["complaint_unit"], rules)
