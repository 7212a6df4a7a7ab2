"""By how much the clock of a camera is off, for which it is DEGRADED; not known before."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE cameras ADD COLUMN clock_offset_milliseconds integer NOT NULL DEFAULT 0"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
