"""When plates could not be read for sure, which reads waited for that, and what is warned of."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    role = runtime_role()
    op.execute(
        """
        CREATE TABLE degradations (
            degradation_id uuid PRIMARY KEY,
            since timestamptz NOT NULL,
            told_at timestamptz NOT NULL,
            recovered_at timestamptz
        )
        """
    )
    grant(op, "degradations", "SELECT, INSERT, UPDATE (recovered_at)", role)
    op.execute("ALTER TABLE reads ADD COLUMN held_by uuid REFERENCES degradations")
    op.execute(
        "CREATE INDEX reads_held ON reads (read_id) WHERE held_by IS NOT NULL AND outcome IS NULL"
    )
    grant(op, "reads", "UPDATE (held_by)", role)
    op.execute("ALTER TABLE violations ADD COLUMN caution text NOT NULL DEFAULT ''")
    grant(op, "violations", "UPDATE (caution)", role)
