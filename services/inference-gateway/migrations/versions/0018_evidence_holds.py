"""Holds on what a camera saw in a time window. A row says neither why nor for whom."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant, protect_rows

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE evidence_holds (
            hold_id uuid PRIMARY KEY,
            camera_id uuid NOT NULL,
            held_from timestamptz NOT NULL,
            held_until timestamptz NOT NULL CHECK (held_until >= held_from),
            placed_at timestamptz NOT NULL,
            released_at timestamptz
        )
        """
    )
    op.execute(
        "CREATE INDEX holds_of_camera ON evidence_holds (camera_id, held_from)"
        " WHERE released_at IS NULL"
    )
    grant(op, "evidence_holds", "SELECT, INSERT, UPDATE (released_at)", runtime_role())
    # No operator sees one: it would tell that somebody has reported something near the camera.
    protect_rows(op, "evidence_holds", visible="false")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
