"""Questions to the reporter, and the time for which they stop the clock of the answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Waiting:
    """The open question to the reporter, if any, and how long earlier ones stopped the clock.

    `since` is when the open question was asked, None without one. `until` is the end of its wait,
    None for old questions without an end. `questions` counts all questions, `reminders` those of
    the last question. `waited` is how long earlier questions stopped the present clock.
    """

    since: datetime | None = None
    until: datetime | None = None
    questions: int = 0
    reminders: int = 0
    waited: timedelta = timedelta()


NOT_ASKED = Waiting()
