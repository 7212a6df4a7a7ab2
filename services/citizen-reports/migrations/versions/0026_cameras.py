"""Cameras that may have seen what is reported, and the holds on their evidence.

Reports of before have none: their evidence may be gone, and nobody waits for it.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IS_OPERATOR, IS_SYSTEM, grant

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE report_cameras (
            hold_id uuid PRIMARY KEY,
            report_id uuid NOT NULL REFERENCES reports,
            position integer NOT NULL,
            sealed bytea NOT NULL,
            held_at timestamptz,
            frames integer NOT NULL DEFAULT 0,
            released_at timestamptz,
            UNIQUE (report_id, position)
        )
        """
    )
    grant(
        op,
        "report_cameras",
        "SELECT, INSERT, UPDATE (held_at, frames, released_at)",
        runtime_role(),
    )
    # Added by work; seen by who sees the report at the desk, never by an app.
    op.execute("ALTER TABLE report_cameras ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE report_cameras FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY cameras_by_work ON report_cameras USING ({IS_SYSTEM})")
    op.execute(
        "CREATE POLICY cameras_read ON report_cameras FOR SELECT"
        f" USING ({IS_OPERATOR} AND EXISTS"
        " (SELECT FROM reports WHERE reports.report_id = report_cameras.report_id))"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
