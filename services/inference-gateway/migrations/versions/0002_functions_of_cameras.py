"""What each camera's pictures are looked at for."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # `content` is the CameraFunctions message in its canonical form. Who may configure is decided
    # by the role at the border; a row is seen from its region alone.
    op.execute(
        """
        CREATE TABLE camera_functions (
            camera_id uuid PRIMARY KEY,
            region text NOT NULL,
            version bigint NOT NULL CHECK (version > 0),
            content bytea NOT NULL,
            configured_at timestamptz NOT NULL
        )
        """
    )
    grant(op, "camera_functions", "SELECT, INSERT, UPDATE", runtime_role())
    protect_rows(op, "camera_functions", visible=IN_REGION)
