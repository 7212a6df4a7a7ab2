"""An index of scheduled work by kind."""

from alembic import op
from host.schema import index_work_by_kind

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    index_work_by_kind(op)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
