"""The categories of reports, and the sets of categories for which special rules hold."""

from enum import StrEnum


class Category(StrEnum):
    ROAD_ACCIDENT = "road_accident"
    TRAFFIC_VIOLATION = "traffic_violation"
    DOMESTIC_VIOLENCE = "domestic_violence"
    INCIDENT = "incident"
    INCIDENT_WITH_CHILD = "incident_with_child"
    COMPLAINT_ABOUT_OFFICER = "complaint_about_officer"
    OTHER = "other"


EMERGENCIES = frozenset(
    {Category.ROAD_ACCIDENT, Category.DOMESTIC_VIOLENCE, Category.INCIDENT_WITH_CHILD}
)

# Categories accepted even for a place abroad: reports of danger, crimes and threats are never
# refused (CPC 181; APPC 64(7)), and an operator finds out whether the phone located it wrongly.
TAKEN_FROM_ABROAD = EMERGENCIES | {Category.INCIDENT}

# Categories of silent alarms, by which somebody who cannot speak or write calls for help.
SILENT_ALARMS = frozenset({Category.DOMESTIC_VIOLENCE, Category.INCIDENT_WITH_CHILD})

# Categories of the reports that inspectors see (row-level security, migration 0018).
INSPECTED = frozenset({Category.ROAD_ACCIDENT, Category.TRAFFIC_VIOLATION})

# Categories of the reports whose audit entries are hidden from auditors.
CONFIDENTIAL = frozenset(
    {
        Category.COMPLAINT_ABOUT_OFFICER,
        Category.DOMESTIC_VIOLENCE,
        Category.INCIDENT_WITH_CHILD,
    }
)

# The rank of secrecy of each category; 0 if it is missing here. An operator may change the category
# of a report only to one of a higher rank.
SECRECY = {
    Category.DOMESTIC_VIOLENCE: 1,
    Category.INCIDENT_WITH_CHILD: 1,
    Category.COMPLAINT_ABOUT_OFFICER: 2,
}


def is_more_secret(category: Category, than: Category) -> bool:
    """Whether reports of `category` are kept more secret than reports of the category `than`."""
    return SECRECY.get(category, 0) > SECRECY.get(than, 0)
