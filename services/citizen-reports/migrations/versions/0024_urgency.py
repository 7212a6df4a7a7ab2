"""Whether a report is urgent beside what its category says, and the reporter's words for it.

Reports of before are not judged: the column is empty there, so that their hashes stay valid.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IS_OPERATOR, IS_PARTNER, IS_SYSTEM, grant

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE reports ADD COLUMN urgency text"
        " CHECK (urgency IN ('proposed', 'confirmed', 'declined'))"
    )
    op.execute(
        """
        CREATE TABLE urgency_reasons (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            report_id uuid NOT NULL REFERENCES reports,
            partner text NOT NULL,
            sealed bytea NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX reasons_of_report ON urgency_reasons (report_id, position)")
    grant(op, "urgency_reasons", "SELECT, INSERT", runtime_role())
    # Added by the app, with the report itself or a reply; seen by who sees the report at the desk.
    op.execute("ALTER TABLE urgency_reasons ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE urgency_reasons FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY reasons_added ON urgency_reasons FOR INSERT"
        f" WITH CHECK ({IS_SYSTEM} OR {IS_PARTNER})"
    )
    op.execute(
        "CREATE POLICY reasons_read ON urgency_reasons FOR SELECT"
        f" USING ({IS_SYSTEM} OR ({IS_OPERATOR} AND EXISTS"
        " (SELECT FROM reports WHERE reports.report_id = urgency_reasons.report_id)))"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
