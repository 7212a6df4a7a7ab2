"""Evidence that was found damaged, and how far the check of all evidence has come."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Where it lies and what is wrong: what it is of stands in `evidence`.
    op.execute(
        """
        CREATE TABLE damaged_evidence (
            object_path text PRIMARY KEY,
            damage_id uuid NOT NULL UNIQUE,
            damage text NOT NULL CHECK (damage IN ('changed', 'missing', 'unreadable')),
            found_at timestamptz NOT NULL,
            repaired_at timestamptz
        )
        """
    )
    grant(op, "damaged_evidence", "SELECT, INSERT, UPDATE", runtime_role())
    op.execute("CREATE INDEX evidence_objects ON evidence (object_path)")
    op.execute(
        """
        CREATE TABLE evidence_rounds (
            is_only_row boolean PRIMARY KEY CHECK (is_only_row),
            began_at timestamptz NOT NULL,
            read_until text NOT NULL,
            objects bigint NOT NULL,
            ended_at timestamptz
        )
        """
    )
    grant(op, "evidence_rounds", "SELECT, INSERT, UPDATE", runtime_role())


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
