"""The legal basis of a camera's AI functions, by function; cameras from before have none."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("cameras", "camera_versions"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN bases jsonb NOT NULL DEFAULT '{{}}'")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
