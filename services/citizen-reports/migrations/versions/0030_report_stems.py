"""Keyed hashes of the stems of reports' texts, by which reports are found."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, IS_OPERATOR, IS_SYSTEM, grant, has_role

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# As of the reports themselves: the rows of domestic violence, children and complaints are none.
VISIBLE = f"""(
    {IS_OPERATOR} AND {IN_REGION}
    AND ({has_role("dispatcher")} OR {has_role("supervisor")}
        OR ({has_role("inspector")} AND class = 'open'))
)"""


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE report_stems (
            report_id uuid NOT NULL REFERENCES reports,
            stem bytea NOT NULL CHECK (length(stem) = 16),
            class text NOT NULL CHECK (class IN ('open', 'personal')),
            region text NOT NULL,
            registered_at timestamptz NOT NULL,
            PRIMARY KEY (report_id, stem)
        )
        """
    )
    op.execute(
        "CREATE INDEX report_stems_newest"
        " ON report_stems (stem, region, registered_at DESC, report_id DESC) INCLUDE (class)"
    )
    grant(op, "report_stems", "SELECT, INSERT, DELETE, UPDATE (region)", runtime_role())
    # Added and moved by work. Whoever raises a report takes its rows away.
    op.execute("ALTER TABLE report_stems ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE report_stems FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY stems_by_work ON report_stems USING ({IS_SYSTEM})")
    op.execute(f"CREATE POLICY stems_read ON report_stems FOR SELECT USING {VISIBLE}")
    op.execute(f"CREATE POLICY stems_taken_away ON report_stems FOR DELETE USING {VISIBLE}")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
