"""How many changes of counts were ever added to the stored counts.

With the changes that wait it makes a number that rises with every change of a count and never
else, by which an answer of before is known to hold still.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE camera_counts_folded (
            is_single boolean PRIMARY KEY DEFAULT true CHECK (is_single),
            changes bigint NOT NULL
        ) WITH (fillfactor = 50)
        """
    )
    op.execute("INSERT INTO camera_counts_folded (changes) VALUES (0)")
    grant(op, "camera_counts_folded", "SELECT, UPDATE (changes)", runtime_role())


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
