"""Row-level security reads the scope as JSON arrays: a region or role with a comma is one name."""

from alembic import op
from host.schema import install_v3

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_v3(op)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
