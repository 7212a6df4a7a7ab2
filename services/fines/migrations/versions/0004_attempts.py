"""Attempts to open what is hidden."""

from alembic import op
from host.schema import index_attempts

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    index_attempts(op)
