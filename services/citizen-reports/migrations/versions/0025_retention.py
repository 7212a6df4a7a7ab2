"""Parts of reports that were erased because their term has passed, and holds of the law."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant, protect_rows

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    runtime = runtime_role()
    op.execute(
        """
        CREATE TABLE report_erasures (
            report_id uuid NOT NULL REFERENCES reports,
            part text NOT NULL,
            erased_at timestamptz NOT NULL,
            audit_entry uuid NOT NULL,
            PRIMARY KEY (report_id, part)
        )
        """
    )
    grant(op, "report_erasures", "SELECT, INSERT", runtime)
    # Whoever sees the report may know what of it is gone.
    of_report = "EXISTS (SELECT FROM reports WHERE reports.report_id = report_erasures.report_id)"
    protect_rows(op, "report_erasures", visible=of_report)
    op.execute(
        """
        CREATE TABLE report_holds (
            hold_id uuid PRIMARY KEY,
            report_id uuid NOT NULL REFERENCES reports,
            reason text NOT NULL,
            placed_at timestamptz NOT NULL,
            ends_at timestamptz NOT NULL,
            lifted_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX holds_of_report ON report_holds (report_id)")
    grant(op, "report_holds", "SELECT, INSERT, UPDATE (lifted_at)", runtime)
    protect_rows(op, "report_holds", visible="false")
    op.execute(
        "CREATE INDEX reports_ended ON reports (category, opened_at)"
        " WHERE status IN ('closed', 'withdrawn')"
    )
    op.execute("CREATE INDEX media_by_evidence ON media (evidence_sha256)")
    op.execute("CREATE INDEX media_by_form ON media (shown_sha256)")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
