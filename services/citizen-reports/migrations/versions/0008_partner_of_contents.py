"""The partner of contents stands in their row.

A report and its contents are written by one statement, in which a policy cannot look the report up:
rows of a statement do not see each other.
"""

from alembic import op
from host.schema import IS_PARTNER, IS_SYSTEM

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

VISIBLE = (
    f"{IS_SYSTEM} OR {IS_PARTNER}"
    " OR EXISTS (SELECT FROM reports WHERE reports.report_id = contents.report_id)"
)


def upgrade() -> None:
    op.execute("SELECT set_config('app.kind', 'system', true)")
    op.execute("ALTER TABLE reports ADD UNIQUE (report_id, partner)")
    op.execute("ALTER TABLE contents ADD COLUMN partner text")
    op.execute(
        "UPDATE contents SET partner = reports.partner FROM reports"
        " WHERE reports.report_id = contents.report_id"
    )
    op.execute(
        "ALTER TABLE contents ALTER COLUMN partner SET NOT NULL, ADD CONSTRAINT contents_of_report"
        " FOREIGN KEY (report_id, partner) REFERENCES reports (report_id, partner)"
    )
    op.execute(f"ALTER POLICY contents_scope ON contents USING ({VISIBLE}) WITH CHECK ({VISIBLE})")
    op.execute("SELECT set_config('app.kind', '', true)")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
