"""Records in the audit log each time that a report, or a file of it, is shown to somebody."""

from collections.abc import Iterable

from chassis.identity import Caller
from chassis.transaction import Tx

from citizen_reports.model.report import Report
from citizen_reports.model.viewings import Capacity, Seen, capacity_of
from citizen_reports.storage.contents import Written
from citizen_reports.storage.viewings import OPEN_EVIDENCE, READ
from citizen_reports.usecases.recording import audit


def record_reading(tx: Tx, report: Report, seen: Iterable[Seen], caller: Caller) -> None:
    """Record in the audit log that the parts `seen` of a report are shown to the caller, in which
    capacity, and which unit handles the report."""
    _record(tx, READ, report, seen, caller)


def record_opening(
    tx: Tx, report: Report, seen: Iterable[Seen], caller: Caller, **facts: str
) -> None:
    """Record in the audit log that a file of a report is shown to the caller. `facts` are further
    facts of the entry, such as the file's id."""
    _record(tx, OPEN_EVIDENCE, report, seen, caller, **facts)


def seen_of(written: Written) -> list[Seen]:
    """Return the parts of a report (TEXT, REPORTER, PLACE) that can be read in `written`."""
    said, shown = written.contents, list[Seen]()
    if said.text or said.officer:
        shown.append(Seen.TEXT)
    if not written.reporter.is_anonymous:
        shown.append(Seen.REPORTER)
    if written.key is not None:
        shown.append(Seen.PLACE)
    return shown


def _record(
    tx: Tx, action: str, report: Report, seen: Iterable[Seen], caller: Caller, **facts: str
) -> None:
    named = " ".join(part.value for part in seen)
    capacity = capacity_of(caller.scope.roles) if caller.operator else Capacity.SERVICE
    audit(tx, action, report, capacity=capacity.value, unit=report.unit, seen=named, **facts)
