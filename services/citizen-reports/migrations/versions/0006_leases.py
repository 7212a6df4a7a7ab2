"""Leases of the work that one process at a time does, instead of advisory locks."""

from alembic import op
from host.leases import install_leases
from host.migrations import runtime_role

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_leases(op, runtime_role())


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
