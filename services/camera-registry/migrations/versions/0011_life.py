"""The last heartbeat of each camera, in a narrow table of its own, and when the watch last looked.

A heartbeat rewrites a row of some fifty bytes, and the wide row of the camera only when its status
changes.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant, protect_rows

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CAMERA_IS_VISIBLE = "EXISTS (SELECT 1 FROM cameras WHERE cameras.camera_id = camera_life.camera_id)"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE camera_life (
            camera_id uuid PRIMARY KEY REFERENCES cameras,
            heard_at timestamptz NOT NULL
        ) WITH (fillfactor = 50)
        """
    )
    op.execute("SELECT set_config('app.kind', 'system', true)")
    op.execute(
        "INSERT INTO camera_life (camera_id, heard_at)"
        " SELECT camera_id, last_seen FROM cameras WHERE last_seen IS NOT NULL"
    )
    op.execute("SELECT set_config('app.kind', '', true)")
    op.execute("ALTER TABLE cameras DROP COLUMN last_seen")
    grant(op, "camera_life", "SELECT, INSERT, UPDATE (heard_at)", runtime_role())
    protect_rows(op, "camera_life", visible=CAMERA_IS_VISIBLE)
    op.execute(
        """
        CREATE TABLE heartbeat_watch (
            is_single boolean PRIMARY KEY DEFAULT true CHECK (is_single),
            looked_at timestamptz NOT NULL
        ) WITH (fillfactor = 50)
        """
    )
    grant(op, "heartbeat_watch", "SELECT, INSERT, UPDATE (looked_at)", runtime_role())


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
