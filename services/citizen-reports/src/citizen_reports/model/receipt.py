"""What is promised to the reporter at registration."""

from dataclasses import dataclass, field
from datetime import datetime

from law.report_deadlines import Deadline

# The rules of the response in emergencies, which arrival alone ends.
ARRIVAL_RULES = "emergency."


@dataclass(frozen=True)
class Receipt:
    """The confirmation that the reporter gets at registration. A receipt never changes.

    `deadline` is that of the answer, `response` until when the police respond (None for categories
    without such a time).
    """

    number: str
    registered_at: datetime
    deadline: Deadline
    unit: str
    content_sha256: bytes
    response: Deadline | None = None
    # The rule that chose the unit; known while the report is registered, and kept in its step.
    routed_by: str = field(default="", compare=False)

    @property
    def arrival_due_at(self) -> datetime | None:
        """Until when an officer must be at the place of an emergency; None for other reports."""
        if self.response is None or not self.response.rule.startswith(ARRIVAL_RULES):
            return None
        return self.response.due_at
