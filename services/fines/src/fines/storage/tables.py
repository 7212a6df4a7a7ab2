"""Tables as the migrations made them, and rows to and from the model."""

from datetime import date
from typing import Any

from law.fine_dates import DayCount, LegalDates
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
)

from fines.model.fine import Fine, SealedParticulars, State
from fines.model.ledger import Entry, EntryKind, Payment, Refund, RefundReason
from fines.model.tariff import Amount

metadata = MetaData()
_moment = DateTime(timezone=True)

fines = Table(
    "fines",
    metadata,
    Column("number", Text, primary_key=True),
    Column("violation_id", Text, nullable=False),
    Column("report_id", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("story", Text, nullable=False),
    Column("offence_code", Text, nullable=False),
    Column("occurred_at", _moment, nullable=False),
    Column("confirmed_at", _moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("hold_reason", Text, nullable=False),
    Column("conflicts", ARRAY(Text), nullable=False),
    Column("article", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("discounted_minor", BigInteger),
    Column("base_value_minor", BigInteger),
    Column("base_values", Integer),
    Column("tariff_version", Text),
    Column("issued_at", _moment),
    Column("owner_key_id", Uuid),
    Column("owner_index", LargeBinary),
    Column("plate_index", LargeBinary),
    Column("particulars", LargeBinary),
    Column("delivered_at", _moment),
    Column("delivered_on", Date),
    Column("discount_until", Date),
    Column("considered_on", Date),
    Column("appeal_until", Date),
    Column("in_force_on", Date),
    Column("voluntary_until", Date),
    Column("enforcement_by", Date),
    Column("day_count", Text),
    Column("calendar_version", Text),
    Column("cancel_key_id", Uuid),
    Column("cancel_reason", LargeBinary),
)

entries = Table(
    "entries",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("entry_id", Uuid, nullable=False),
    Column("number", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("debit_account", Text, nullable=False),
    Column("credit_account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("posted_at", _moment, nullable=False),
    Column("reverses", Uuid),
)

payments = Table(
    "payments",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("payment_id", Uuid, primary_key=True),
    Column("number", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("bank_reference", Text, nullable=False),
    Column("value_date", Date, nullable=False),
    Column("posted_at", _moment, nullable=False),
    Column("entry_id", Uuid, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("number", Text, nullable=False),
)

refunds = Table(
    "refunds",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("payment_id", Uuid, primary_key=True),
    Column("region", Text, nullable=False),
    Column("refund_id", Uuid, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("refunded_at", _moment, nullable=False),
    Column("reason", Text, nullable=False),
)


def to_fine(row: Row[Any]) -> Fine:
    return Fine(
        number=row.number,
        violation_id=row.violation_id,
        report_id=row.report_id,
        region=row.region,
        story=row.story,
        offence_code=row.offence_code,
        occurred_at=row.occurred_at,
        state=State(row.state),
        version=row.version,
        hold_reason=row.hold_reason,
        conflicts=tuple(row.conflicts),
        article=row.article,
        amount=_amount(row),
        issued_at=row.issued_at,
        particulars=_particulars(row),
        delivered_at=row.delivered_at,
        dates=_dates(row),
    )


def from_fine(fine: Fine) -> dict[str, Any]:
    values: dict[str, Any] = {
        "number": fine.number,
        "violation_id": fine.violation_id,
        "report_id": fine.report_id,
        "region": fine.region,
        "story": fine.story,
        "offence_code": fine.offence_code,
        "occurred_at": fine.occurred_at,
        "state": fine.state.value,
        "version": fine.version,
        "hold_reason": fine.hold_reason,
        "conflicts": list(fine.conflicts),
        "article": fine.article,
        "issued_at": fine.issued_at,
        "delivered_at": fine.delivered_at,
    }
    if fine.amount:
        values |= {
            "amount_minor": fine.amount.full_minor,
            "discounted_minor": fine.amount.discounted_minor,
            "base_value_minor": fine.amount.base_value_minor,
            "base_values": fine.amount.base_values,
            "tariff_version": fine.amount.tariff_version,
        }
    if fine.particulars:
        values |= {
            "owner_key_id": fine.particulars.key_id,
            "owner_index": fine.particulars.owner_index,
            "plate_index": fine.particulars.plate_index,
            "particulars": fine.particulars.sealed,
        }
    if fine.dates:
        values |= vars(fine.dates) | {"day_count": fine.dates.day_count.value}
    return values


def _amount(row: Row[Any]) -> Amount | None:
    if row.amount_minor is None:
        return None
    return Amount(
        full_minor=row.amount_minor,
        discounted_minor=row.discounted_minor,
        base_value_minor=row.base_value_minor,
        base_values=row.base_values,
        tariff_version=row.tariff_version,
    )


def _particulars(row: Row[Any]) -> SealedParticulars | None:
    if row.particulars is None:
        return None
    return SealedParticulars(
        key_id=row.owner_key_id,
        sealed=bytes(row.particulars),
        owner_index=bytes(row.owner_index),
        plate_index=bytes(row.plate_index),
    )


def _dates(row: Row[Any]) -> LegalDates | None:
    if row.delivered_on is None:
        return None
    days: dict[str, date] = {
        name: getattr(row, name)
        for name in (
            "delivered_on",
            "discount_until",
            "considered_on",
            "appeal_until",
            "in_force_on",
            "voluntary_until",
            "enforcement_by",
        )
    }
    return LegalDates(
        **days, day_count=DayCount(row.day_count), calendar_version=row.calendar_version
    )


def to_entry(row: Row[Any]) -> Entry:
    return Entry(
        entry_id=row.entry_id,
        number=row.number,
        region=row.region,
        kind=EntryKind(row.kind),
        debit_account=row.debit_account,
        credit_account=row.credit_account,
        amount_minor=row.amount_minor,
        posted_at=row.posted_at,
        reverses=row.reverses,
    )


def from_entry(entry: Entry) -> dict[str, Any]:
    return vars(entry) | {"kind": entry.kind.value}


def from_payment(payment: Payment) -> dict[str, Any]:
    values = dict(vars(payment))
    del values["refund"]  # has a row of its own
    return values


def to_payment(row: Row[Any]) -> Payment:
    """A row of payments with its refund beside it, where there is one."""
    return Payment(
        payment_id=row.payment_id,
        partner=row.partner,
        number=row.number,
        region=row.region,
        amount_minor=row.amount_minor,
        bank_reference=row.bank_reference,
        value_date=row.value_date,
        posted_at=row.posted_at,
        entry_id=row.entry_id,
        refund=_refund(row),
    )


def _refund(row: Row[Any]) -> Refund | None:
    if row.refund_id is None:
        return None
    return Refund(
        refund_id=row.refund_id,
        amount_minor=row.refund_minor,
        refunded_at=row.refunded_at,
        reason=RefundReason(row.reason),
    )
