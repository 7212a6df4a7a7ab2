"""Plate reads that wait for assessment, violations, decisions; and the tables of the chassis."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, install_v1, protect_rows

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_v1(op, runtime_role())
    op.execute(
        """
        CREATE TABLE reads (
            read_id uuid PRIMARY KEY,
            camera_id uuid NOT NULL,
            captured_at timestamptz NOT NULL,
            key_id uuid NOT NULL,
            plate_sealed bytea,
            readings jsonb NOT NULL,
            evidence_sha256 text NOT NULL,
            models_fingerprint text NOT NULL,
            story text NOT NULL,
            received_at timestamptz NOT NULL,
            outcome text,
            assessed_at timestamptz,
            CHECK ((outcome IS NULL) = (assessed_at IS NULL))
        )
        """
    )
    op.execute(
        """
        CREATE TABLE violations (
            violation_id uuid PRIMARY KEY,
            state text NOT NULL CHECK (state IN ('REVIEW', 'CONFIRMED', 'REJECTED', 'ANNULLED')),
            source text NOT NULL CHECK (source IN ('DEVICE', 'CITIZEN')),
            region text NOT NULL,
            camera_id uuid,
            read_id uuid REFERENCES reads,
            report_id uuid,
            latitude double precision NOT NULL,
            longitude double precision NOT NULL,
            occurred_at timestamptz NOT NULL,
            detected_at timestamptz NOT NULL,
            key_id uuid NOT NULL,
            address_sealed bytea NOT NULL,
            plate_sealed bytea NOT NULL,
            plate_index bytea NOT NULL,
            rule text NOT NULL,
            offence_code text NOT NULL,
            article text NOT NULL,
            rules_version text NOT NULL,
            rules_sha256 text NOT NULL,
            dedupe_seconds integer NOT NULL,
            dedupe_window bigint NOT NULL,
            readings jsonb,
            over_kmh numeric,
            device jsonb,
            evidence_sha256 text[] NOT NULL,
            models_fingerprint text NOT NULL,
            hold text NOT NULL,
            version bigint NOT NULL CHECK (version > 0),
            story text NOT NULL,
            CHECK ((source = 'DEVICE') = (camera_id IS NOT NULL AND read_id IS NOT NULL)),
            CHECK ((source = 'CITIZEN') = (report_id IS NOT NULL)),
            -- Seen once: beside the search for neighbours in time, which crosses windows.
            CONSTRAINT violations_seen_once
                UNIQUE (plate_index, rule, camera_id, dedupe_window),
            CONSTRAINT violations_report_key UNIQUE (report_id)
        )
        """
    )
    op.execute("CREATE INDEX violations_queue ON violations (state, occurred_at, violation_id)")
    op.execute("CREATE INDEX violations_time ON violations (occurred_at, violation_id)")
    op.execute("CREATE INDEX violations_read ON violations (read_id)")
    op.execute(
        "CREATE INDEX violations_neighbours ON violations"
        " (plate_index, rule, camera_id, occurred_at)"
    )
    op.execute(
        """
        CREATE TABLE decisions (
            decision_id uuid PRIMARY KEY,
            violation_id uuid NOT NULL REFERENCES violations,
            region text NOT NULL,
            verdict text NOT NULL CHECK (verdict IN ('CONFIRM', 'REJECT', 'ANNUL')),
            officer text NOT NULL,
            decided_at timestamptz NOT NULL,
            reason_sealed bytea NOT NULL,
            canonical_sealed bytea NOT NULL,
            signature bytea NOT NULL,
            certificate bytea NOT NULL,
            UNIQUE (violation_id, verdict)
        )
        """
    )
    # A decision is never changed nor taken away; of a violation only what a decision moves.
    role = runtime_role()
    grant(
        op, "reads", "SELECT, INSERT, UPDATE (plate_sealed, readings, outcome, assessed_at)", role
    )
    grant(op, "violations", "SELECT, INSERT, UPDATE (state, version)", role)
    grant(op, "decisions", "SELECT, INSERT", role)
    protect_rows(op, "reads", visible="false")
    protect_rows(op, "violations", visible=IN_REGION)
    protect_rows(op, "decisions", visible=IN_REGION)
