"""The receipt that the reporter gets for a submitted report."""

from dataclasses import dataclass, field
from datetime import datetime

from law.report_deadlines import Deadline

# How the ids of those rules begin whose response ends only when somebody arrives: of emergencies.
ARRIVAL_RULES = "emergency."


@dataclass(frozen=True)
class Receipt:
    """The confirmation that the reporter gets at registration; only `response` changes later.

    `deadline` is the deadline of the answer, `response` that of the response (None for categories
    without one). A response begins anew when the report is raised or its urgency is confirmed.
    """

    number: str
    registered_at: datetime
    deadline: Deadline
    unit: str
    content_sha256: bytes
    response: Deadline | None = None
    # The rule that chose the unit: set only during registration, and stored in the report's step.
    routed_by: str = field(default="", compare=False)

    @property
    def arrival_due_at(self) -> datetime | None:
        """Until when an officer must be at the place of an emergency; None for other reports."""
        if self.response is None or not self.response.rule.startswith(ARRIVAL_RULES):
            return None
        return self.response.due_at
