"""The words in a report's text that say what becomes of the report in the sandbox.

An engineer writes `sandbox:ask` into the text of a report, and the desk asks a question. Words may
be combined. docs/partners.md explains them; a test holds that page against these tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from law.report_outcomes import ReportOutcomes

# What the dispatcher does. Without any of these words, he takes the report, is at the place of an
# emergency, and answers.
MANUAL, NO_ANSWER, NO_ARRIVAL = "manual", "no_answer", "no_arrival"
ASK, EXTEND, MOVE, ACCEPT_EVIDENCE = "ask", "extend", "move", "accept_evidence"
DESK: Final[Mapping[str, str]] = {
    MANUAL: "The desk does nothing by itself.",
    NO_ANSWER: "The desk does all but answer.",
    NO_ARRIVAL: "Nobody arrives at the place of an emergency, so that it is not answered either.",
    ASK: "The desk asks a question before it answers.",
    EXTEND: "The deadline of the answer is extended before it is given.",
    MOVE: "The report is sent to a unit of another region first.",
    ACCEPT_EVIDENCE: "Evidence of a traffic violation is accepted.",
}
# What goes wrong on the way, once for each report.
SHARE_EXCEEDED, OVERLOADED = "share_exceeded", "overloaded"
STORAGE_AWAY, SERVER_STOPPING = "storage_away", "server_stopping"
ANSWER_LOST, ANSWER_LATE = "answer_lost", "answer_late"
UPLOAD_BROKEN, STREAM_BROKEN = "upload_broken", "stream_broken"
FAULTS: Final[Mapping[str, str]] = {
    SHARE_EXCEEDED: "The first call is refused as SHARE_EXCEEDED, with RetryInfo.",
    OVERLOADED: "The first call is refused as OVERLOADED, with RetryInfo.",
    STORAGE_AWAY: "The first call is refused as STORAGE_AWAY.",
    SERVER_STOPPING: "The first call is refused as SERVER_STOPPING.",
    ANSWER_LOST: "The report is registered, and the answer that says so is lost.",
    ANSWER_LATE: "The report is registered, and the answer that says so comes after ten seconds.",
    UPLOAD_BROKEN: "A piece of a file arrives, and the answer that says so is lost.",
    STREAM_BROKEN: "The stream of changes breaks after the report's first change.",
}

_WORD = re.compile(r"\bsandbox:([a-z_]+)")


def words_in(text: str) -> frozenset[str]:
    """Return the words of the sandbox in a text, without the prefix `sandbox:`. They need not be
    words of the tables."""
    return frozenset(_WORD.findall(text))


def unknown(words: frozenset[str], outcomes: ReportOutcomes) -> list[str]:
    """Return the words that mean nothing, in alphabetical order. An outcome's code is a word too:
    with it the report is answered."""
    known = {*DESK, *FAULTS, *(outcome.id for outcome in outcomes.outcomes)}
    return sorted(words - known)
