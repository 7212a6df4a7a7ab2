"""Fines, payments, refunds and ledger entries name the audit entry of their decision, which carries
the hash of all that was decided. Those of before get entries that vouch for what they are now.

Witnesses have keys, and their signatures of the heads of all logs are kept.
"""

from collections.abc import Callable, Iterator
from itertools import groupby

from alembic import op
from audit_log.baseline import (
    OldRecord,
    Row,
    add_record_columns,
    as_system,
    vouch_for,
    vouch_for_rows,
)
from audit_log.cosignatures import install_cosignatures
from fines.model.fine import FINE
from fines.model.ledger import LEDGER, PAYMENT, REFUND, decided_entries
from host.migrations import runtime_role
from host.schema import grant
from partners.storage import install_witness_keys
from sqlalchemy import text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("fines", "payments", "refunds", "entries")


def upgrade() -> None:
    add_record_columns(op, *TABLES)
    grant(op, "fines", "UPDATE (audit_entry, audit_hash)", runtime_role())
    as_system(op)
    vouch_for_rows(op, "fines", FINE, _of_fine)
    vouch_for_rows(op, "payments", PAYMENT, _of_fine)
    vouch_for_rows(op, "refunds", REFUND, _refunds_of_fines())
    vouch_for(op, "entries", LEDGER, _ledgers())
    as_system(op, ends=True)
    install_witness_keys(op)
    install_cosignatures(op, runtime_role())


def downgrade() -> None:
    raise NotImplementedError("the ledger is not taken down")


def _of_fine(row: Row) -> OldRecord:
    return OldRecord(f"fine:{row['number']}", row["region"], row, ())


def _refunds_of_fines() -> Callable[[Row], OldRecord]:
    """A refund is of its payment's fine."""
    query = text(
        "SELECT partner, payment_id, number FROM payments JOIN refunds USING (partner, payment_id)"
    )
    rows = op.get_bind().execute(query).all()
    numbers = {(row.partner, row.payment_id): row.number for row in rows}

    def to_record(row: Row) -> OldRecord:
        return _of_fine({**row, "number": numbers[row["partner"], row["payment_id"]]})

    return to_record


def _ledgers() -> Iterator[OldRecord]:
    query = text("SELECT * FROM entries ORDER BY number, position")
    for number, group in groupby(op.get_bind().execute(query).all(), lambda row: row.number):
        posted = [row._asdict() for row in group]
        keys = [{"position": row["position"]} for row in posted]
        yield OldRecord(f"fine:{number}", posted[0]["region"], decided_entries(posted), keys)
