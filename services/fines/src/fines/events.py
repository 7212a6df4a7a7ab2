"""Constructors of the published events. No event contains an owner, a plate or an address."""

from datetime import datetime

from audit_log.attempts import Attempt
from chassis.clock import to_timestamp
from chassis.event import Event
from google.protobuf.message import Message
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import events_pb2

from fines.model.fine import Fine
from fines.model.ledger import Payment, Refund


def money(amount_minor: int) -> common_pb2.Money:
    return common_pb2.Money(amount_minor=amount_minor, currency="KZT")


def access_refused(attempt: Attempt) -> Event:
    """Return the event of a refused access, which names neither the requested fine nor the
    caller."""
    return Event(
        "fines.v1.access_refused",
        f"attempt:{attempt.attempt_id}",
        1,
        attempt.region,
        events_pb2.AccessRefused(
            attempt_id=str(attempt.attempt_id),
            region=attempt.region,
            attempted_at=to_timestamp(attempt.attempted_at),
        ),
    )


def fine_held(fine: Fine, now: datetime) -> Event:
    return _event(
        fine,
        "held",
        events_pb2.FineHeld(
            number=fine.number,
            violation_id=fine.violation_id,
            region=fine.region,
            hold_reason=fine.hold_reason,
            held_at=to_timestamp(now),
            conflicting_numbers=fine.conflicts,
        ),
    )


def fine_issued(fine: Fine) -> Event:
    assert fine.amount
    return _event(
        fine,
        "issued",
        events_pb2.FineIssued(
            number=fine.number,
            violation_id=fine.violation_id,
            region=fine.region,
            amount=money(fine.amount.full_minor),
            issued_at=to_timestamp(fine.issued_at),
            report_id=fine.report_id,
        ),
    )


def fine_delivered(fine: Fine) -> Event:
    assert fine.dates
    return _event(
        fine,
        "delivered",
        events_pb2.FineDelivered(
            number=fine.number,
            region=fine.region,
            delivered_at=to_timestamp(fine.delivered_at),
            discount_until=fine.dates.discount_until.isoformat(),
        ),
    )


def fine_paid(fine: Fine, payment: Payment) -> Event:
    return _event(
        fine,
        "paid",
        events_pb2.FinePaid(
            number=fine.number,
            region=fine.region,
            payment_id=str(payment.payment_id),
            partner=payment.partner,
            amount=money(payment.amount_minor),
            paid_at=to_timestamp(payment.posted_at),
        ),
    )


def fine_refunded(fine: Fine, payment: Payment, refund: Refund) -> Event:
    return _event(
        fine,
        "refunded",
        events_pb2.FineRefunded(
            number=fine.number,
            region=fine.region,
            payment_id=str(payment.payment_id),
            amount=money(refund.amount_minor),
            refunded_at=to_timestamp(refund.refunded_at),
            refund_id=str(refund.refund_id),
            reason=refund.reason.value,
        ),
    )


def fine_cancelled(fine: Fine, now: datetime) -> Event:
    return _event(
        fine,
        "cancelled",
        events_pb2.FineCancelled(
            number=fine.number, region=fine.region, cancelled_at=to_timestamp(now)
        ),
    )


def fine_in_force(fine: Fine) -> Event:
    assert fine.dates
    return _event(
        fine,
        "in_force",
        events_pb2.FineInForce(
            number=fine.number,
            region=fine.region,
            in_force_on=fine.dates.in_force_on.isoformat(),
        ),
    )


def fine_overdue(fine: Fine) -> Event:
    assert fine.dates
    return _event(
        fine,
        "overdue",
        events_pb2.FineOverdue(
            number=fine.number,
            region=fine.region,
            voluntary_until=fine.dates.voluntary_until.isoformat(),
        ),
    )


def fine_redated(fine: Fine, now: datetime) -> Event:
    assert fine.dates
    return _event(
        fine,
        "redated",
        events_pb2.FineRedated(
            number=fine.number,
            region=fine.region,
            discount_until=fine.dates.discount_until.isoformat(),
            appeal_until=fine.dates.appeal_until.isoformat(),
            in_force_on=fine.dates.in_force_on.isoformat(),
            voluntary_until=fine.dates.voluntary_until.isoformat(),
            redated_at=to_timestamp(now),
        ),
    )


def _event(fine: Fine, fact: str, message: Message) -> Event:
    return Event(
        subject=f"fines.v1.{fact}",
        aggregate=fine.number,
        version=fine.version,
        region=fine.region,
        message=message,
        story=fine.story,
    )
