"""Numbers drawn at random, the form of media that operators are shown, attempts to open reports."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant, index_attempts

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _numbers()
    op.execute("ALTER TABLE media ADD COLUMN shown_sha256 text NOT NULL DEFAULT ''")
    index_attempts(op)


def _numbers() -> None:
    # What is taken, apart from the reports: whoever draws one sees no reports of others. It holds
    # nothing of anybody. Numbers that were counted (number_series, no longer used) stay taken.
    op.execute("CREATE TABLE report_numbers (number text PRIMARY KEY)")
    grant(op, "report_numbers", "SELECT, INSERT", runtime_role())
    op.execute("SELECT set_config('app.kind', 'system', true)")
    op.execute("INSERT INTO report_numbers SELECT number FROM reports WHERE number IS NOT NULL")
    op.execute("SELECT set_config('app.kind', '', true)")
