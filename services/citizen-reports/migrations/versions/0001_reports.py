"""Reports and what belongs to them, and the tables of the chassis.

What is personal lies apart and sealed: who reported (`reporters`), what was written (`contents`,
notes of `steps`), what was sent (`media_chunks`). Whether a row may be seen is said once, for
`reports`; the others follow it.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import (
    IN_REGION,
    IS_OPERATOR,
    IS_PARTNER,
    IS_SERVICE,
    grant,
    has_role,
    install_v1,
    protect_rows,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A complaint about an officer is seen by internal security and by nobody else at the desk.
FOR_THE_DESK = f"""(
    {IS_OPERATOR} AND {IN_REGION} AND status <> 'open'
    AND CASE WHEN complaint THEN {has_role("internal_security")}
        ELSE {has_role("dispatcher")} OR {has_role("supervisor")}
            OR ({has_role("inspector")} AND category IN ('traffic_violation', 'road_accident'))
        END
)"""
# The owner of violations sees what was accepted as evidence of one.
FOR_VIOLATIONS = f"""(
    {IS_SERVICE} AND current_setting('app.name', true) = 'violations'
    AND NOT complaint AND offence_code <> ''
)"""


def upgrade() -> None:
    runtime = runtime_role()
    install_v1(op, runtime)
    op.execute(
        """
        CREATE TABLE reports (
            report_id uuid PRIMARY KEY,
            partner text NOT NULL,
            category text NOT NULL,
            complaint boolean NOT NULL
                GENERATED ALWAYS AS (category = 'complaint_about_officer') STORED,
            region text NOT NULL,
            status text NOT NULL,
            language text NOT NULL,
            occurred_at timestamptz NOT NULL,
            opened_at timestamptz NOT NULL,
            story text NOT NULL,
            version bigint NOT NULL CHECK (version > 0),
            cell text NOT NULL,
            number text UNIQUE,
            registered_at timestamptz,
            receipt_due_at timestamptz,
            receipt_rule text,
            receipt_unit text,
            content_sha256 bytea,
            due_at timestamptz,
            deadline_rule text,
            deadline_number integer NOT NULL,
            waits_since timestamptz,
            escalation_step integer NOT NULL,
            unit text NOT NULL,
            operator text NOT NULL,
            answered_at timestamptz,
            disputed_at timestamptz,
            outcome text NOT NULL,
            offence_code text NOT NULL,
            duplicate_of uuid,
            CHECK ((status = 'open') = (number IS NULL)),
            -- Registered means routed: no report waits where nobody looks.
            CHECK (status IN ('open', 'registered') OR unit <> ''),
            CHECK (NOT complaint OR unit IN ('', 'internal-security'))
        )
        """
    )
    op.execute("CREATE INDEX reports_of_partner ON reports (partner, opened_at, report_id)")
    op.execute("CREATE INDEX reports_due ON reports (due_at, report_id) WHERE status <> 'open'")
    op.execute("CREATE INDEX reports_cell ON reports (cell, occurred_at)")
    # Deleted are drafts alone, when nobody submits them.
    grant(op, "reports", "SELECT, INSERT, UPDATE, DELETE", runtime)
    protect_rows(op, "reports", visible=f"{IS_PARTNER} OR {FOR_THE_DESK} OR {FOR_VIOLATIONS}")

    op.execute(
        """
        CREATE TABLE reporters (
            report_id uuid PRIMARY KEY REFERENCES reports,
            partner text NOT NULL,
            key_id uuid NOT NULL,
            sealed bytea NOT NULL
        )
        """
    )
    grant(op, "reporters", "SELECT, INSERT, DELETE", runtime)
    may_know = (
        f"{has_role('dispatcher')} OR {has_role('supervisor')} OR {has_role('internal_security')}"
    )
    protect_rows(
        op,
        "reporters",
        visible=f"{IS_PARTNER} OR ({IS_OPERATOR} AND ({may_know}) AND {_report_of('reporters')})",
    )

    op.execute(
        """
        CREATE TABLE contents (
            report_id uuid PRIMARY KEY REFERENCES reports,
            key_id uuid NOT NULL,
            text bytea NOT NULL,
            place bytea NOT NULL,
            officer bytea NOT NULL,
            question bytea,
            answer bytea,
            plate bytea
        )
        """
    )
    _follow("contents", "SELECT, INSERT, DELETE, UPDATE (question, answer, plate)")
    op.execute(
        """
        CREATE TABLE steps (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            report_id uuid NOT NULL REFERENCES reports,
            at timestamptz NOT NULL,
            status text NOT NULL,
            actor text NOT NULL,
            note bytea
        )
        """
    )
    op.execute("CREATE INDEX steps_of_report ON steps (report_id, position)")
    _follow("steps", "SELECT, INSERT")
    op.execute(
        """
        CREATE TABLE media (
            report_id uuid NOT NULL REFERENCES reports,
            media_id uuid NOT NULL,
            position bigint GENERATED ALWAYS AS IDENTITY,
            total_bytes integer NOT NULL,
            sha256 text NOT NULL,
            content_type text NOT NULL,
            received_bytes integer NOT NULL,
            state text NOT NULL,
            evidence_sha256 text NOT NULL,
            PRIMARY KEY (report_id, media_id),
            CHECK (received_bytes BETWEEN 0 AND total_bytes)
        )
        """
    )
    _follow("media", "SELECT, INSERT, UPDATE, DELETE")
    op.execute(
        """
        CREATE TABLE media_chunks (
            report_id uuid NOT NULL,
            media_id uuid NOT NULL,
            start integer NOT NULL,
            sealed bytea NOT NULL,
            PRIMARY KEY (report_id, media_id, start),
            FOREIGN KEY (report_id, media_id) REFERENCES media
        )
        """
    )
    op.execute("ALTER TABLE media_chunks ALTER COLUMN sealed SET STORAGE EXTERNAL")
    _follow("media_chunks", "SELECT, INSERT, DELETE")
    op.execute(
        """
        CREATE TABLE changes (
            partner text NOT NULL,
            sequence bigint NOT NULL,
            report_id uuid NOT NULL REFERENCES reports,
            number text NOT NULL,
            status text NOT NULL,
            outcome text NOT NULL,
            changed_at timestamptz NOT NULL,
            PRIMARY KEY (partner, sequence)
        )
        """
    )
    grant(op, "changes", "SELECT, INSERT", runtime)
    protect_rows(op, "changes", visible=f"{IS_PARTNER} OR {_report_of('changes')}")

    # Counters hold nothing of anybody: they are not narrowed.
    op.execute("CREATE TABLE partner_sequences (partner text PRIMARY KEY, last bigint NOT NULL)")
    op.execute("CREATE TABLE number_series (series text PRIMARY KEY, last bigint NOT NULL)")
    for counter in ("partner_sequences", "number_series"):
        grant(op, counter, "SELECT, INSERT, UPDATE", runtime)


def _report_of(table: str) -> str:
    return f"EXISTS (SELECT FROM reports WHERE reports.report_id = {table}.report_id)"


def _follow(table: str, privileges: str) -> None:
    """Rows of a report are seen by whoever sees the report."""
    grant(op, table, privileges, runtime_role())
    protect_rows(op, table, visible=_report_of(table))
