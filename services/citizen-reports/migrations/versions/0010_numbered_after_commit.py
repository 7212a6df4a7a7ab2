"""Changes are numbered after their commit: no report waits for another's number."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE changes DROP CONSTRAINT changes_pkey")
    op.execute(
        "ALTER TABLE changes"
        " ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " ALTER COLUMN sequence DROP NOT NULL,"
        " ADD CONSTRAINT changes_numbered UNIQUE (partner, sequence)"
    )
    op.execute("CREATE INDEX changes_to_number ON changes (position) WHERE sequence IS NULL")
    grant(op, "changes", "UPDATE (sequence)", runtime_role())


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
