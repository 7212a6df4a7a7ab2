"""Of a camera that was retired as a duplicate, the camera that was kept; none before.

No foreign key: cameras are never deleted, and each row of an import would pay for one.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE cameras ADD COLUMN merged_into uuid,"
        " ADD CONSTRAINT cameras_merged_into CHECK"
        " (merged_into IS NULL OR (retired_at IS NOT NULL AND merged_into <> camera_id))"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
