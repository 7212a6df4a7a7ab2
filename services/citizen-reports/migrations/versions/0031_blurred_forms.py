"""Blurred forms of the photographs of reports: faces and plates cannot be recognised in them."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IS_OPERATOR, IS_SYSTEM, grant

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # `sealed` has the picture until it lies in the evidence store.
    op.execute(
        """
        CREATE TABLE blurred_forms (
            report_id uuid NOT NULL REFERENCES reports,
            media_id uuid NOT NULL,
            sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
            sealed bytea,
            PRIMARY KEY (report_id, media_id)
        )
        """
    )
    op.execute("CREATE INDEX blurred_by_hash ON blurred_forms (sha256)")
    grant(op, "blurred_forms", "SELECT, INSERT, UPDATE (sealed)", runtime_role())
    # Made by work; seen by who sees the report at the desk, never by an app or another service.
    op.execute("ALTER TABLE blurred_forms ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE blurred_forms FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY blurred_by_work ON blurred_forms USING ({IS_SYSTEM})")
    op.execute(
        "CREATE POLICY blurred_read ON blurred_forms FOR SELECT"
        f" USING ({IS_OPERATOR} AND EXISTS"
        " (SELECT FROM reports WHERE reports.report_id = blurred_forms.report_id))"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
