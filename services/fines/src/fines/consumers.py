"""The events that this service consumes: confirmations and annulments of violations."""

from collections.abc import Awaitable, Callable

from chassis import telemetry
from chassis.clock import from_timestamp
from chassis.transaction import Tx
from host.consumer import Meta, Poison
from tartip.violations.v1 import events_pb2

from fines.usecases.issuing import Confirmed, Issuing


def on_confirmed(
    issuing: Issuing,
) -> Callable[[Tx, events_pb2.ViolationConfirmed, Meta], Awaitable[None]]:
    async def handle(tx: Tx, event: events_pb2.ViolationConfirmed, meta: Meta) -> None:
        _annotate(event.violation_id)
        confirmed = Confirmed(
            violation_id=event.violation_id,
            report_id=event.report_id,
            region=event.region,
            offence_code=event.offence_code,
            occurred_at=from_timestamp(event.occurred_at),
            confirmed_at=from_timestamp(event.confirmed_at),
        )
        await issuing.note_confirmed(tx, confirmed, meta.story)

    return handle


def on_annulled(
    issuing: Issuing,
) -> Callable[[Tx, events_pb2.ViolationAnnulled, Meta], Awaitable[None]]:
    async def handle(tx: Tx, event: events_pb2.ViolationAnnulled, meta: Meta) -> None:
        _annotate(event.violation_id)
        await issuing.note_annulled(
            tx,
            event.violation_id,
            region=event.region,
            report_id=event.report_id,
            annulled_at=from_timestamp(event.annulled_at),
            story=meta.story,
        )

    return handle


def _annotate(violation_id: str) -> None:
    if not violation_id:
        raise Poison("no violation is named")
    telemetry.annotate(violation=violation_id)
