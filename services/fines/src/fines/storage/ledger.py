"""Storage of ledger entries, payments and refunds, which are never changed once stored.

Row-level security restricts a bank to its own payments.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from audit_log.decisions import EntryOfRecord
from audit_log.record_kinds import RecordKind
from chassis.clock import parse_id
from chassis.pages import PageSpec, moment_in
from chassis.refusals import PageTokenWrong
from chassis.transaction import Tx
from law.zone import start_of
from sqlalchemy import ColumnElement, Row, Select, bindparam, literal, select, tuple_
from statements.reads import Read

from fines.model.ledger import (
    LEDGER,
    Entry,
    EntryKind,
    Payment,
    PaymentState,
    Refund,
    RefundReason,
    decided_entries,
)
from fines.model.refusals import PaymentNotFound
from fines.storage.tables import entries, payments, refunds

BANK_REFERENCE_KEY = "payments_partner_bank_reference_key"
_ENTRIES = Read(
    select(entries).where(entries.c.number == bindparam("number")).order_by(entries.c.position)
)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class PaymentFilter:
    """The conditions of a search; a payment is found if it meets all of them. A field that is None
    or "" sets no condition. Dates are days in Almaty, the first and last included."""

    state: PaymentState | None = None
    number: str = ""
    value_date_from: date | None = None
    value_date_until: date | None = None
    posted_from: date | None = None
    posted_until: date | None = None


def post(tx: Tx, posted: Iterable[Entry], audited: EntryOfRecord) -> None:
    """Add the ledger entries of a decision; `audited` is the decision's audit entry."""
    for entry in posted:
        tx.add(entries, _from_entry(entry) | audited.columns)


def of_entries(posted: Iterable[Entry]) -> dict[RecordKind, dict[str, Any]]:
    """Return {LEDGER: the fine's ledger} for the audit entry of a decision on the fine. `posted`
    has all ledger entries of the fine, in the order of posting."""
    return {LEDGER: decided_entries(map(_from_entry, posted))}


async def entries_of(tx: Tx, number: str) -> tuple[Entry, ...]:
    return tuple(to_entry(row) for row in await tx.read(_ENTRIES, number=number))


def add_payment(tx: Tx, payment: Payment, audited: EntryOfRecord) -> None:
    """Add a payment. The row is written later in the transaction. If the bank has already used the
    payment's bank reference, the write raises RowExists with the key `BANK_REFERENCE_KEY`."""
    tx.add(payments, payment_row(payment) | audited.columns)


def add_refund(tx: Tx, payment: Payment, refund: Refund, audited: EntryOfRecord) -> None:
    tx.add(refunds, refund_row(payment, refund) | audited.columns)


async def get_payment(tx: Tx, partner: str, payment_id: UUID) -> Payment:
    """Return a payment made through the bank named `partner`. Raises PaymentNotFound."""
    found = with_refunds().where(payments.c.partner == partner, payments.c.payment_id == payment_id)
    row = (await tx.execute(found)).one_or_none()
    if row is None:
        raise PaymentNotFound
    return to_payment(row)


async def payment_of_fine(tx: Tx, number: str) -> Payment | None:
    row = (await tx.execute(with_refunds().where(payments.c.number == number))).one_or_none()
    return to_payment(row) if row else None


async def payments_page(
    tx: Tx, spec: PageSpec, partner: str, wanted: PaymentFilter
) -> tuple[list[Payment], list[tuple[str, ...]]]:
    """Return a page of the payments made through the bank `partner`, the latest posted first. Also
    return each payment's key for keyset pagination."""
    query = with_refunds().where(payments.c.partner == partner, *_conditions(wanted))
    if spec.after:
        key = tuple_(payments.c.posted_at, payments.c.payment_id)
        query = query.where(key < tuple_(*map(literal, _read_key(spec.after))))
    query = query.order_by(payments.c.posted_at.desc(), payments.c.payment_id.desc())
    found = [to_payment(row) for row in await tx.execute(query.limit(spec.size))]
    return found, [(row.posted_at.isoformat(), str(row.payment_id)) for row in found]


def _conditions(wanted: PaymentFilter) -> list[ColumnElement[bool]]:
    posted_at, value_date = payments.c.posted_at, payments.c.value_date
    found: list[ColumnElement[bool]] = []
    if wanted.state is PaymentState.POSTED:
        found.append(refunds.c.refund_id.is_(None))
    if wanted.state is PaymentState.REFUNDED:
        found.append(refunds.c.refund_id.is_not(None))
    if wanted.number:
        found.append(payments.c.number == wanted.number)
    if wanted.value_date_from:
        found.append(value_date >= wanted.value_date_from)
    if wanted.value_date_until:
        found.append(value_date <= wanted.value_date_until)
    if wanted.posted_from:
        found.append(posted_at >= start_of(wanted.posted_from))
    if wanted.posted_until:
        found.append(posted_at < start_of(wanted.posted_until + _ONE_DAY))
    return found


def with_refunds() -> Select[Any]:
    """Return the query for all payments, each with its refund if it has one. `to_payment` converts
    the rows."""
    return select(
        payments,
        refunds.c.refund_id,
        refunds.c.amount_minor.label("refund_minor"),
        refunds.c.refunded_at,
        refunds.c.reason,
    ).select_from(
        payments.outerjoin(
            refunds,
            (refunds.c.partner == payments.c.partner)
            & (refunds.c.payment_id == payments.c.payment_id),
        )
    )


def _read_key(after: tuple[str, ...]) -> tuple[Any, UUID]:
    try:
        posted_at, written = after
    except ValueError as error:
        raise PageTokenWrong from error
    payment_id = parse_id(written)
    if payment_id is None:
        raise PageTokenWrong
    return moment_in(posted_at), payment_id


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


def _from_entry(entry: Entry) -> dict[str, Any]:
    return vars(entry) | {"kind": entry.kind.value}


def payment_row(payment: Payment) -> dict[str, Any]:
    """Return a payment's row as values by column. A decision's audit entry covers all columns."""
    values = dict(vars(payment))
    del values["refund"]  # has a row of its own
    return values


def refund_row(payment: Payment, refund: Refund) -> dict[str, Any]:
    """Return a refund's row as values by column. A decision's audit entry covers all columns."""
    return {
        "partner": payment.partner,
        "payment_id": payment.payment_id,
        "region": payment.region,
        "refund_id": refund.refund_id,
        "amount_minor": refund.amount_minor,
        "refunded_at": refund.refunded_at,
        "reason": refund.reason.value,
    }


def to_payment(row: Row[Any]) -> Payment:
    """Return the payment in a row of the query `with_refunds`."""
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
