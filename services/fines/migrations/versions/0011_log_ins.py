"""Log-ins apart for calls, background work and sealing, with rights column by column."""

from alembic import op
from host.log_ins import install_v4
from host.migrations import schema_name

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_v4(op, schema_name())


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
