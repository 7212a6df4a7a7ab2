"""Which reports were taken though their place lies abroad."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE reports ADD COLUMN place_abroad boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
