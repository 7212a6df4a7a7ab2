"""The form of evidence that operators are shown, and attempts to open what is hidden."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant, index_attempts

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # NULL for what was kept before: whoever reads it first has the form made.
    op.execute("ALTER TABLE evidence ADD COLUMN shown_sha256 text")
    op.execute("CREATE INDEX evidence_shown ON evidence (shown_sha256)")
    grant(op, "evidence", "UPDATE (shown_sha256)", runtime_role())
    index_attempts(op)
