"""The database's time by `service_now()`: it moves with the clock of the service that asks."""

from alembic import op
from host.migrations import runtime_role
from host.schema import install_v2

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_v2(op, runtime_role())


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
