"""An index of the audit entries about readings of a report, by report: its reporter may ask who
looked at it."""

from alembic import op
from citizen_reports.storage.viewings import IS_VIEWING, VIEWED

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(f"CREATE INDEX audit_viewings ON audit (({VIEWED}), position) WHERE {IS_VIEWING}")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
