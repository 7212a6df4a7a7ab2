"""Constructors of the published events, which contain ids, region and offence code, but no
plate."""

from datetime import datetime

from audit_log.attempts import Attempt
from chassis.clock import to_timestamp
from chassis.event import Event
from google.protobuf.message import Message
from tartip.violations.v1 import events_pb2

from violations.model import Verdict, Violation
from violations.neighbours import Neighbour


def violation_detected(violation: Violation) -> Event:
    return _event(
        "detected",
        violation,
        events_pb2.ViolationDetected(
            violation_id=str(violation.violation_id),
            region=violation.place.region,
            offence_code=violation.offence.code,
            occurred_at=to_timestamp(violation.occurred_at),
            report_id=str(violation.report_id or ""),
        ),
    )


def access_refused(attempt: Attempt) -> Event:
    """Return the event of a refused access, which names neither the violation nor the caller."""
    return Event(
        "violations.v1.access_refused",
        f"attempt:{attempt.attempt_id}",
        1,
        attempt.region,
        events_pb2.AccessRefused(
            attempt_id=str(attempt.attempt_id),
            region=attempt.region,
            attempted_at=to_timestamp(attempt.attempted_at),
        ),
    )


def violation_decided(violation: Violation, verdict: Verdict, now: datetime) -> Event:
    """Return the event that a violation was confirmed, rejected or annulled, depending on
    `verdict`. `now` is the time of the decision."""
    common = {
        "violation_id": str(violation.violation_id),
        "region": violation.place.region,
        "report_id": str(violation.report_id or ""),
    }
    moment = to_timestamp(now)
    if verdict is Verdict.REJECT:
        return _event(
            "rejected", violation, events_pb2.ViolationRejected(**common, rejected_at=moment)
        )
    if verdict is Verdict.ANNUL:
        return _event(
            "annulled", violation, events_pb2.ViolationAnnulled(**common, annulled_at=moment)
        )
    return _event(
        "confirmed",
        violation,
        events_pb2.ViolationConfirmed(
            **common,
            offence_code=violation.offence.code,
            occurred_at=to_timestamp(violation.occurred_at),
            confirmed_at=moment,
        ),
    )


def conflict_found(confirmed: Neighbour, held: Violation) -> Event:
    """Return the event that the confirmed violation `confirmed` conflicts with the new violation
    `held`.

    The event has the region of `confirmed`. Only a supervisor of that region can annul `confirmed`,
    for which a fine may have been issued.
    """
    message = events_pb2.ViolationConflictFound(
        violation_id=str(confirmed.violation_id),
        region=confirmed.region,
        conflicting_violation_id=str(held.violation_id),
    )
    return Event(
        "violations.v1.conflict_found",
        str(confirmed.violation_id),
        confirmed.version,
        confirmed.region,
        message,
        story=held.story,
    )


def _event(fact: str, violation: Violation, message: Message) -> Event:
    return Event(
        f"violations.v1.{fact}",
        str(violation.violation_id),
        violation.version,
        violation.place.region,
        message,
        story=violation.story,
    )
