"""Templates of answers in versions, and answers that wait before they leave.

Reports of before have no answer that waits: the column is empty there, so that their hashes stay
valid.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IS_OPERATOR, grant, protect_rows

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    runtime = runtime_role()
    op.execute("ALTER TABLE reports ADD COLUMN waiting_answer uuid")
    op.execute(
        """
        CREATE TABLE answer_templates (
            template text NOT NULL,
            version bigint NOT NULL,
            categories text[] NOT NULL,
            outcome text NOT NULL,
            text_kk text NOT NULL,
            text_ru text NOT NULL,
            text_en text NOT NULL,
            withdrawn boolean NOT NULL,
            reason text NOT NULL,
            changed_by text NOT NULL,
            changed_at timestamptz NOT NULL,
            audit_entry uuid,
            audit_hash bytea,
            PRIMARY KEY (template, version)
        )
        """
    )
    grant(op, "answer_templates", "SELECT, INSERT", runtime)
    op.execute(
        """
        CREATE TABLE waiting_answers (
            answer_id uuid PRIMARY KEY,
            report_id uuid NOT NULL REFERENCES reports,
            request_id uuid NOT NULL,
            operator text NOT NULL,
            template text NOT NULL,
            template_version bigint NOT NULL,
            outcome text NOT NULL,
            given_at timestamptz NOT NULL,
            leaves_at timestamptz NOT NULL,
            sealed bytea NOT NULL,
            state text NOT NULL,
            UNIQUE (operator, request_id, report_id)
        )
        """
    )
    op.execute("CREATE INDEX answers_of_report ON waiting_answers (report_id)")
    grant(op, "waiting_answers", "SELECT, INSERT, UPDATE (state)", runtime)
    # Whoever sees the report at the desk sees what waits to leave.
    of_report = "EXISTS (SELECT FROM reports WHERE reports.report_id = waiting_answers.report_id)"
    protect_rows(op, "waiting_answers", visible=f"{IS_OPERATOR} AND {of_report}")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
