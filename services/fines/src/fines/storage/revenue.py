"""Figures from the ledger: the revenue, and whether the ledger agrees with the fines."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from chassis.transaction import Tx
from law.zone import UTC_PLUS_5, start_of
from sqlalchemy import case, func, literal, select

from fines.model.fine import OWED
from fines.model.ledger import EntryKind
from fines.storage.tables import entries, fines


@dataclass(frozen=True)
class RevenueRow:
    day: date
    region: str
    issued_count: int
    issued_minor: int
    paid_count: int
    collected_minor: int
    discounts_minor: int
    refunded_minor: int


async def revenue_by_day(tx: Tx, first: date, last: date, region: str) -> list[RevenueRow]:
    """Return the ledger's totals for each day and region: fines issued, payments, discounts and
    refunds, in tiyn. Reversed discounts are subtracted from the discounts; the other totals are
    gross. Days are days in Almaty, `first` and `last` included. A region of "" means all."""
    # UTC+5 since before the first entry of this ledger.
    day = func.date(func.timezone("UTC", entries.c.posted_at) + UTC_PLUS_5.utcoffset(None))
    kind, amount = entries.c.kind, entries.c.amount_minor
    forward = entries.c.reverses.is_(None)

    def total(of: EntryKind) -> Any:
        signed = case((forward | (kind == EntryKind.REFUND.value), amount), else_=-amount)
        return func.coalesce(func.sum(case((kind == of.value, signed))), 0)

    query = (
        select(
            day.label("day"),
            entries.c.region,
            func.count().filter(kind == EntryKind.ISSUE.value).label("issued_count"),
            total(EntryKind.ISSUE).label("issued"),
            func.count().filter(kind == EntryKind.PAYMENT.value).label("paid_count"),
            total(EntryKind.PAYMENT).label("collected"),
            total(EntryKind.DISCOUNT).label("discounts"),
            total(EntryKind.REFUND).label("refunded"),
        )
        .where(
            entries.c.posted_at >= start_of(first),
            entries.c.posted_at < start_of(date.fromordinal(last.toordinal() + 1)),
        )
        .group_by(day, entries.c.region)
        .order_by(day, entries.c.region)
    )
    if region:
        query = query.where(entries.c.region == region)
    return [
        RevenueRow(
            row.day,
            row.region,
            row.issued_count,
            int(row.issued),
            row.paid_count,
            int(row.collected),
            int(row.discounts),
            int(row.refunded),
        )
        for row in await tx.execute(query)
    ]


async def imbalance(tx: Tx) -> int:
    """Return the difference in tiyn between the ledger's receivables and what is owed by the states
    of the fines; 0 if they agree.

    The absolute differences of all fines are added up, so that two errors cannot offset each other.
    """
    account = literal("receivable:") + entries.c.number
    held = (
        select(
            entries.c.number,
            func.sum(
                case((entries.c.debit_account == account, entries.c.amount_minor), else_=0)
                - case((entries.c.credit_account == account, entries.c.amount_minor), else_=0)
            ).label("minor"),
        )
        .group_by(entries.c.number)
        .subquery()
    )
    is_owed = fines.c.state.in_([state.value for state in OWED])
    owed = case((is_owed, func.coalesce(fines.c.amount_minor, 0)), else_=0)
    differences = select(
        func.coalesce(func.sum(func.abs(func.coalesce(held.c.minor, 0) - owed)), 0)
    ).select_from(fines.outerjoin(held, held.c.number == fines.c.number))
    return int(await tx.scalar(differences))
