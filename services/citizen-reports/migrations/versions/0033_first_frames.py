"""First frames of films: pictures that are there before their films lie in the evidence store.

A process of the release before makes none; films that it examines or stores have no first frame.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IS_OPERATOR, grant, protect_rows

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE media ADD COLUMN first_frame_sha256 text NOT NULL DEFAULT ''")
    op.execute(
        "CREATE INDEX media_by_first_frame ON media (first_frame_sha256)"
        " WHERE first_frame_sha256 <> ''"
    )
    # A picture, until it lies in the evidence store.
    op.execute(
        """
        CREATE TABLE first_frames (
            report_id uuid NOT NULL,
            media_id uuid NOT NULL,
            sealed bytea NOT NULL,
            PRIMARY KEY (report_id, media_id),
            FOREIGN KEY (report_id, media_id) REFERENCES media ON DELETE CASCADE
        )
        """
    )
    op.execute("ALTER TABLE first_frames ALTER COLUMN sealed SET STORAGE EXTERNAL")
    grant(op, "first_frames", "SELECT, INSERT, DELETE", runtime_role())
    # Operators open it in the evidence store alone, which is audited.
    protect_rows(
        op,
        "first_frames",
        visible=f"NOT {IS_OPERATOR} AND EXISTS"
        " (SELECT FROM reports WHERE reports.report_id = first_frames.report_id)",
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
