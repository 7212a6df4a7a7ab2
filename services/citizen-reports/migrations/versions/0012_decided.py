"""Registered reports and answers name the audit entry of their decision, which carries the hash of
all that was decided. Those of before get entries that vouch for what they are now."""

from alembic import op
from audit_log.baseline import OldRecord, Row, add_record_columns, as_system, vouch_for_rows
from citizen_reports.model.categories import CONFIDENTIAL, Category
from citizen_reports.model.decided import ANSWER, REPORT
from host.migrations import runtime_role
from host.schema import grant
from partners.storage import install_witness_keys
from sqlalchemy import text

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_record_columns(op, "reports", "contents")
    grant(op, "contents", "UPDATE (audit_entry, audit_hash)", runtime_role())
    as_system(op)
    vouch_for_rows(op, "reports", REPORT, _of_report, where="status <> 'open'")
    query = text(
        "SELECT report_id, number, region, category FROM reports WHERE EXISTS"
        " (SELECT FROM contents WHERE contents.report_id = reports.report_id"
        " AND contents.answer IS NOT NULL)"
    )
    answered = {row["report_id"]: row for row in op.get_bind().execute(query).mappings()}
    vouch_for_rows(
        op,
        "contents",
        ANSWER,
        lambda row: _of_report({**row, **answered[row["report_id"]]}),
        where="answer IS NOT NULL",
    )
    as_system(op, ends=True)
    install_witness_keys(op)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")


def _of_report(row: Row) -> OldRecord:
    is_confidential = Category(row["category"]) in CONFIDENTIAL
    return OldRecord(f"report:{row['number']}", row["region"], row, (), is_confidential)
