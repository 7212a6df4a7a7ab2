"""Codes by which the service recognises its own rows of scheduled work and of handled events."""

from alembic import op
from host.log_ins import install_v5
from host.migrations import schema_name

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_v5(op, schema_name())


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
