"""Partners as rows: those that have paid or looked up before go on as they did."""

from alembic import op
from host.migrations import runtime_role
from partners.storage import install_partners

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_partners(op, runtime_role(), owned_by=("payments", "refunds"))


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
