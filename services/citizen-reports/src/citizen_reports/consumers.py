"""Consumers of violation and fine events, which record the outcome of a report for its reporter."""

from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from host.consumer import Handler, Meta, Poison, Subscription
from tartip.fines.v1 import events_pb2 as fine_events
from tartip.violations.v1 import events_pb2 as violation_events

from citizen_reports.model.refusals import ReportNotFound
from citizen_reports.usecases.followup import FollowUp


def violations(followup: FollowUp) -> dict[str, Subscription]:
    messages = {
        "detected": violation_events.ViolationDetected,
        "confirmed": violation_events.ViolationConfirmed,
        "rejected": violation_events.ViolationRejected,
        "annulled": violation_events.ViolationAnnulled,
    }
    return {
        f"violations.v1.{fact}": Subscription(message, _on_outcome(followup, f"violation_{fact}"))
        for fact, message in messages.items()
    }


def fines(followup: FollowUp) -> dict[str, Subscription]:
    handler = _on_outcome(followup, "fine_issued")
    return {"fines.v1.issued": Subscription(fine_events.FineIssued, handler)}


def _on_outcome(followup: FollowUp, outcome: str) -> Handler:
    async def handle(tx: Tx, event: Any, meta: Meta) -> None:
        if not event.report_id:  # a device's, not a citizen's
            return
        try:
            await followup.note_outcome(tx, UUID(event.report_id), outcome)
        except (ValueError, ReportNotFound) as error:
            raise Poison("no such report") from error

    return handle
