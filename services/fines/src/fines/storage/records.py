"""The records of this service that `CheckDecisions` compares with the audit log: fines, payments,
refunds, and the ledger of each fine."""

from itertools import groupby
from typing import Any

from audit_log.decision_checks import RecordSource, RecordTable, StoredRecord
from chassis.transaction import Tx
from sqlalchemy import Row, select

from fines.model.fine import FINE, Fine
from fines.model.ledger import LEDGER, PAYMENT, REFUND, contradictions, decided_entries
from fines.storage.fines import to_fine
from fines.storage.ledger import to_entry, to_payment, with_refunds
from fines.storage.tables import entries, fines, payments, refunds


class Ledgers:
    """Reads one ledger record for each fine, in the order of the fines' numbers. A record has the
    ledger entries of the fine, and any contradictions between entries, fine and payments."""

    async def page(
        self, tx: Tx, after: tuple[str, ...], size: int
    ) -> tuple[list[StoredRecord], tuple[str, ...] | None]:
        """Return the ledger records of the next `size` fines. Also return the value of `after` for
        the next call, None if there are no more fines. For the first call, `after` is ().

        A fine with neither entries nor contradictions has no record.
        """
        query = select(fines).order_by(fines.c.number).limit(size)
        if after:
            query = query.where(fines.c.number > after[0])
        found = {row.number: to_fine(row) for row in await tx.execute(query)}
        posted = await tx.execute(
            select(entries).where(entries.c.number.in_(list(found))).order_by(*_BY_FINE)
        )
        by_number = {number: list(rows) for number, rows in groupby(posted, lambda row: row.number)}
        paid = list(await tx.execute(with_refunds().where(payments.c.number.in_(list(found)))))
        records = []
        for number, fine in found.items():
            mine = [row for row in paid if row.number == number]
            record = _ledger(fine, by_number.get(number, []), mine)
            if record.row["entries"] or record.contradictions:
                records.append(record)
        return records, (max(found),) if len(found) == size else None


_BY_FINE = (entries.c.number, entries.c.position)


def _ledger(fine: Fine, posted: list[Row[Any]], paid: list[Row[Any]]) -> StoredRecord:
    last = posted[-1] if posted else None
    found = contradictions(fine, list(map(to_entry, posted)), list(map(to_payment, paid)))
    return StoredRecord(
        LEDGER,
        fine.object_ref,
        decided_entries(row._asdict() for row in posted),
        last.audit_entry if last else None,
        bytes(last.audit_hash) if last and last.audit_hash else None,
        contradictions=tuple(found),
    )


def _ref(row: Row[Any]) -> str:
    return f"fine:{row.number}"


_REFUNDS = select(refunds, payments.c.number).join(
    payments,
    (payments.c.partner == refunds.c.partner) & (payments.c.payment_id == refunds.c.payment_id),
)
SOURCES: tuple[RecordSource, ...] = (
    RecordTable(FINE, select(fines), (fines.c.number,), _ref),
    RecordTable(PAYMENT, select(payments), (payments.c.partner, payments.c.payment_id), _ref),
    RecordTable(REFUND, _REFUNDS, (refunds.c.partner, refunds.c.payment_id), _ref),
    Ledgers(),
)
