"""Decided violations and their decisions name the audit entry of the decision, which carries the
hash of all that was decided. Those of before get entries that vouch for what they are now."""

from alembic import op
from audit_log.baseline import OldRecord, Row, add_record_columns, as_system, vouch_for_rows
from host.migrations import runtime_role
from host.schema import grant
from violations.decided import DECISIONS, VIOLATION

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_record_columns(op, "violations", "decisions")
    grant(op, "violations", "UPDATE (audit_entry, audit_hash)", runtime_role())
    as_system(op)
    vouch_for_rows(op, "violations", VIOLATION, _of_violation, where="state <> 'REVIEW'")
    for verdict, kind in DECISIONS.items():
        vouch_for_rows(op, "decisions", kind, _of_violation, where=f"verdict = '{verdict.value}'")
    as_system(op, ends=True)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")


def _of_violation(row: Row) -> OldRecord:
    return OldRecord(f"violation:{row['violation_id']}", row["region"], row, ())
