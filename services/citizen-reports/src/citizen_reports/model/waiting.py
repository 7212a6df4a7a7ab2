"""How long a report waits for its reporter."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Waiting:
    """The open question to the reporter and the time for which questions have stopped the clock.

    `until` is the end of the wait, None for questions asked before there was one. `questions`
    counts the questions asked, `reminders` the reminders of the last one. `waited` is the time for
    which earlier questions have stopped the present clock.
    """

    since: datetime | None = None
    until: datetime | None = None
    questions: int = 0
    reminders: int = 0
    waited: timedelta = timedelta()


NOT_ASKED = Waiting()
