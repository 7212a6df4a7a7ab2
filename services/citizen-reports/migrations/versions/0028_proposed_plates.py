"""Plates that a model read in the photographs of a traffic violation: proposals for an operator."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IS_OPERATOR, IS_SYSTEM, grant

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE proposed_plates (
            report_id uuid NOT NULL REFERENCES reports,
            media_id uuid NOT NULL,
            sealed bytea NOT NULL,
            PRIMARY KEY (report_id, media_id)
        )
        """
    )
    grant(op, "proposed_plates", "SELECT, INSERT", runtime_role())
    # Added by work; seen by who sees the report at the desk, never by an app or another service.
    op.execute("ALTER TABLE proposed_plates ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE proposed_plates FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY plates_by_work ON proposed_plates USING ({IS_SYSTEM})")
    op.execute(
        "CREATE POLICY plates_read ON proposed_plates FOR SELECT"
        f" USING ({IS_OPERATOR} AND EXISTS"
        " (SELECT FROM reports WHERE reports.report_id = proposed_plates.report_id))"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
