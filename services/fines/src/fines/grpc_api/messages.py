"""Conversion of fines, ledger entries and revenue to protobuf messages."""

from chassis.clock import to_timestamp
from law.fine_dates import LegalDates
from tartip.fines.v1 import fines_pb2

from fines.events import money
from fines.model.fine import Fine, State
from fines.model.ledger import Entry
from fines.storage.revenue import RevenueRow
from fines.usecases.recheck import Rechecked
from fines.usecases.redating import Redated

STATES: "dict[State, fines_pb2.FineState.ValueType]" = {
    State.AWAITING: fines_pb2.FINE_STATE_AWAITING,
    State.ISSUED: fines_pb2.FINE_STATE_ISSUED,
    State.DELIVERED: fines_pb2.FINE_STATE_DELIVERED,
    State.PAID: fines_pb2.FINE_STATE_PAID,
    State.CANCELLED: fines_pb2.FINE_STATE_CANCELLED,
    State.IN_FORCE: fines_pb2.FINE_STATE_IN_FORCE,
    State.OVERDUE: fines_pb2.FINE_STATE_OVERDUE,
}


def fine_to_proto(fine: Fine, *, owner_masked: str = "", for_bank: bool = False) -> fines_pb2.Fine:
    message = fines_pb2.Fine(
        number=fine.number,
        violation_id="" if for_bank else fine.violation_id,
        state=STATES[fine.state],
        region=fine.region,
        article=fine.article,
        offence_code=fine.offence_code,
        occurred_at=to_timestamp(fine.occurred_at),
        issued_at=to_timestamp(fine.issued_at),
        dates=dates_to_proto(fine.dates),
        version=fine.version,
        story="" if for_bank else fine.story,
        owner_masked="" if for_bank else owner_masked,
        hold_reason="" if for_bank else fine.hold_reason,
        conflicting_numbers=() if for_bank else fine.conflicts,
        assumed_years=fine.assumed_years,
    )
    if fine.amount:
        message.amount.CopyFrom(money(fine.amount.full_minor))
        message.discounted_amount.CopyFrom(money(fine.amount.discounted_minor))
        message.base_value_minor = fine.amount.base_value_minor
        message.base_values = fine.amount.base_values
        message.tariff_version = fine.amount.tariff_version
    return message


def dates_to_proto(dates: LegalDates | None) -> fines_pb2.LegalDates | None:
    if dates is None:
        return None
    return fines_pb2.LegalDates(
        delivered_on=dates.delivered_on.isoformat(),
        discount_until=dates.discount_until.isoformat(),
        considered_on=dates.considered_on.isoformat(),
        appeal_until=dates.appeal_until.isoformat(),
        in_force_on=dates.in_force_on.isoformat(),
        voluntary_until=dates.voluntary_until.isoformat(),
        day_count=dates.day_count.value,
        calendar_version=dates.calendar_version,
    )


def entry_to_proto(entry: Entry) -> fines_pb2.Entry:
    return fines_pb2.Entry(
        entry_id=str(entry.entry_id),
        debit_account=entry.debit_account,
        credit_account=entry.credit_account,
        amount=money(entry.amount_minor),
        posted_at=to_timestamp(entry.posted_at),
        kind=entry.kind.value,
    )


def rechecked_to_proto(found: Rechecked) -> fines_pb2.RecheckIssuedFinesResponse:
    fine = found.fine
    assert fine.amount
    return fines_pb2.RecheckIssuedFinesResponse(
        number=fine.number,
        violation_id=fine.violation_id,
        region=fine.region,
        state=STATES[fine.state],
        amount=money(fine.amount.full_minor),
        hold_reasons=[hold.value for hold in found.holds],
        conflicting_numbers=found.conflicts,
        resume_token=fine.number,
        remaining=found.remaining,
    )


def redated_to_proto(found: Redated) -> fines_pb2.RedateFinesResponse:
    return fines_pb2.RedateFinesResponse(
        number=found.after.number,
        region=found.after.region,
        state=STATES[found.after.state],
        before=dates_to_proto(found.before.dates),
        after=dates_to_proto(found.after.dates),
        changed=found.after is not found.before,
        refusal=found.refusal,
        remaining=found.remaining,
        resume_token=found.after.number,
    )


def revenue_to_proto(row: RevenueRow) -> fines_pb2.Revenue:
    return fines_pb2.Revenue(
        day=row.day.isoformat(),
        region=row.region,
        issued_count=row.issued_count,
        issued=money(row.issued_minor),
        paid_count=row.paid_count,
        collected=money(row.collected_minor),
        discounts=money(row.discounts_minor),
        refunded=money(row.refunded_minor),
    )


def total_to_proto(rows: list[RevenueRow], region: str) -> fines_pb2.Revenue:
    return fines_pb2.Revenue(
        region=region,
        issued_count=sum(row.issued_count for row in rows),
        issued=money(sum(row.issued_minor for row in rows)),
        paid_count=sum(row.paid_count for row in rows),
        collected=money(sum(row.collected_minor for row in rows)),
        discounts=money(sum(row.discounts_minor for row in rows)),
        refunded=money(sum(row.refunded_minor for row in rows)),
    )


def state_filter(state: "fines_pb2.FineState.ValueType") -> str:
    """Return the requested state in the form in which it is stored, for use in a filter. If no
    state is requested, return "", which sets no filter. APPEALED is in the contract but never
    stored, so it matches no fine."""
    if state == fines_pb2.FINE_STATE_UNSPECIFIED:
        return ""
    return fines_pb2.FineState.Name(state).removeprefix("FINE_STATE_").lower()
