"""Dead letters that a person dismissed, with the reason."""

from alembic import op
from host.dismissals import install_dismissals

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_dismissals(op)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
