"""The KATO code of a camera's district, where its administrator gave one."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("cameras", "camera_versions"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN kato text NOT NULL DEFAULT ''")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
