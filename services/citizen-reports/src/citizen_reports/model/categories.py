"""What a report can be about, and what follows from its category."""

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

# Danger, crimes and threats are never refused (CPC 181; APPC 64(7)): where the place of one lies
# abroad, perhaps because the phone located it wrongly, a person finds out.
TAKEN_FROM_ABROAD = EMERGENCIES | {Category.INCIDENT}

# Reports with which somebody who cannot speak or write may call for help.
SILENT_ALARMS = frozenset({Category.DOMESTIC_VIOLENCE, Category.INCIDENT_WITH_CHILD})

# Inspectors see reports of these (row-level security, migration 0018).
INSPECTED = frozenset({Category.ROAD_ACCIDENT, Category.TRAFFIC_VIOLATION})

# Auditors do not see the audit entries of these.
CONFIDENTIAL = frozenset(
    {
        Category.COMPLAINT_ABOUT_OFFICER,
        Category.DOMESTIC_VIOLENCE,
        Category.INCIDENT_WITH_CHILD,
    }
)

# How secret reports of a category are kept; of categories that are missing here, 0. A report may be
# raised to a category of a higher rank, never lowered.
SECRECY = {
    Category.DOMESTIC_VIOLENCE: 1,
    Category.INCIDENT_WITH_CHILD: 1,
    Category.COMPLAINT_ABOUT_OFFICER: 2,
}


def is_more_secret(category: Category, than: Category) -> bool:
    """Whether reports of a category are kept more secret than those of another."""
    return SECRECY.get(category, 0) > SECRECY.get(than, 0)
