"""What goes wrong between a partner and the sandbox, when it is asked for.

A word in the text of a report asks for a fault once (`triggers.FAULTS`). The control interface asks
for faults of a partner's next calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from chassis.refusals import Overloaded, Refusal, ShareExceeded, Stopping, StorageAway
from tartip.reports.v1 import reports_pb2

from tartip_cli.sandbox import triggers

_RETRY_SECONDS = 1.0
_CALLS_MAX = 24
REFUSALS: Final[Mapping[str, Callable[[], Refusal]]] = {
    triggers.SHARE_EXCEEDED: lambda: ShareExceeded("calls", _CALLS_MAX, _RETRY_SECONDS),
    triggers.OVERLOADED: Overloaded,
    triggers.STORAGE_AWAY: StorageAway,
    triggers.SERVER_STOPPING: Stopping,
}
_OPENS = (reports_pb2.OpenReportRequest, reports_pb2.HandInReportRequest)
_REGISTERS = (reports_pb2.HandInReportRequest, reports_pb2.SubmitReportRequest)
_REPORTS_MAX = 100_000


class Faults:
    """The faults that were asked for and have not happened yet."""

    def __init__(self) -> None:
        # By report id: an empty set where all have happened, so that a repetition adds none.
        self._by_report: dict[str, set[str]] = {}
        self._by_partner: Counter[tuple[str, str]] = Counter()

    def order(self, partner: str, fault: str, times: int) -> None:
        """Let a fault happen to the partner's next calls, so many times; 0 takes it back."""
        self._by_partner[partner, fault] = times

    def refusal(self, partner: str, request: Any) -> Refusal | None:
        """Return the refusal with which a call of a partner is answered, None if it is let through.

        The first call with a report's content also notes the faults that its text asks for.
        """
        report_id = report_id_of(request)
        if isinstance(request, reports_pb2.HandInReportRequest):
            self._note(report_id, request.report.text)
        elif isinstance(request, reports_pb2.OpenReportRequest):
            self._note(report_id, request.text)
        opens = report_id if isinstance(request, _OPENS) else ""
        for word, made in REFUSALS.items():
            if self._happens(partner, opens, word):
                return made()
        return None

    def lost_answer(self, partner: str, request: Any) -> str:
        """Return ANSWER_LOST or ANSWER_LATE if the answer to a call that was carried out is lost or
        late, UPLOAD_BROKEN if it is that to a piece of a file; else ""."""
        report_id = report_id_of(request)
        if isinstance(request, reports_pb2.PutMediaRequest):
            words: tuple[str, ...] = (triggers.UPLOAD_BROKEN,)
        else:
            words = (triggers.ANSWER_LOST, triggers.ANSWER_LATE)
            report_id = report_id if isinstance(request, _REGISTERS) else ""
        return next((word for word in words if self._happens(partner, report_id, word)), "")

    def stream_breaks(self, partner: str, report_id: str) -> bool:
        """Whether the partner's stream breaks after a change of this report."""
        return self._happens(partner, report_id, triggers.STREAM_BROKEN)

    def _note(self, report_id: str, text: str) -> None:
        if report_id not in self._by_report:
            if len(self._by_report) >= _REPORTS_MAX:
                self._by_report.clear()
            self._by_report[report_id] = set(triggers.words_in(text) & triggers.FAULTS.keys())

    def _happens(self, partner: str, report_id: str, fault: str) -> bool:
        """Whether the fault happens now; it is then taken off."""
        asked = self._by_report.get(report_id, set())
        if fault in asked:
            asked.remove(fault)
            return True
        if self._by_partner[partner, fault] > 0:
            self._by_partner[partner, fault] -= 1
            return True
        return False


def report_id_of(request: Any) -> str:
    """Return the report id in a request of `CitizenReports`; "" if it has none."""
    if isinstance(request, reports_pb2.HandInReportRequest):
        return request.report.report_id
    return str(getattr(request, "report_id", ""))
