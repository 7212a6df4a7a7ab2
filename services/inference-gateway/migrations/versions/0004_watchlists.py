"""Watch-lists of faces, the candidates that cameras found, and who reviewed them."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, IS_OPERATOR, IS_SYSTEM, grant, has_role, protect_rows

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# An operator of another role has nothing to see here; who administers cameras shows films.
IN_LIST = (
    f"{IN_REGION} AND (NOT {IS_OPERATOR} OR {has_role('watchlist_officer')}"
    f" OR {has_role('camera_administrator')})"
)


def upgrade() -> None:
    _entries()
    _candidates()
    _reviews()
    _evidence()


def _entries() -> None:
    # The template is sealed under a key of the entry's own, which is destroyed when it closes.
    # `number` is how the galleries in memory know an entry; `change` is the version of the lists
    # (watch_changes) at which it last came in force or closed.
    op.execute(
        """
        CREATE TABLE watch_entries (
            entry_id uuid PRIMARY KEY,
            number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
            region text NOT NULL,
            basis text NOT NULL CHECK (basis IN
                ('COURT_ORDER', 'WANTED_PERSON', 'MISSING_PERSON')),
            case_number text NOT NULL,
            purpose text NOT NULL,
            requested_by text NOT NULL,
            requested_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL
                CHECK (expires_at <= requested_at + interval '180 days'),
            approved_by text CHECK (approved_by <> requested_by),
            approved_at timestamptz,
            state text NOT NULL CHECK (state IN
                ('REQUESTED', 'IN_FORCE', 'WITHDRAWN', 'EXPIRED')),
            key_id uuid NOT NULL,
            template_sealed bytea,
            closed_by text,
            closed_at timestamptz,
            close_reason text,
            change bigint NOT NULL DEFAULT 0,
            story text NOT NULL,
            CHECK ((template_sealed IS NOT NULL) = (state IN ('REQUESTED', 'IN_FORCE'))),
            CHECK (state <> 'IN_FORCE' OR approved_by IS NOT NULL)
        )
        """
    )
    op.execute("CREATE INDEX watch_entries_change ON watch_entries (change, number)")
    op.execute(
        "CREATE INDEX watch_entries_open ON watch_entries (expires_at)"
        " WHERE template_sealed IS NOT NULL"
    )
    grant(op, "watch_entries", "SELECT, INSERT, UPDATE", runtime_role())
    protect_rows(op, "watch_entries", visible=IN_LIST)
    op.execute(
        """
        CREATE TABLE watch_changes (
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            version bigint NOT NULL
        )
        """
    )
    op.execute("INSERT INTO watch_changes (version) VALUES (0)")
    grant(op, "watch_changes", "SELECT, UPDATE", runtime_role())


def _candidates() -> None:
    op.execute(
        """
        CREATE TABLE watch_candidates (
            candidate_id uuid PRIMARY KEY,
            entry_id uuid NOT NULL REFERENCES watch_entries,
            camera_id uuid NOT NULL,
            region text NOT NULL,
            captured_at timestamptz NOT NULL,
            last_seen_at timestamptz NOT NULL,
            closeness double precision NOT NULL CHECK (closeness BETWEEN 0 AND 1),
            box double precision[] NOT NULL CHECK (cardinality(box) = 4),
            evidence_sha256 text NOT NULL,
            models_fingerprint text NOT NULL,
            state text NOT NULL CHECK (state IN ('OPEN', 'LEAD', 'DISMISSED')),
            found_at timestamptz NOT NULL,
            decided_at timestamptz,
            forgotten_at timestamptz
        )
        """
    )
    op.execute(
        "CREATE INDEX watch_candidates_seen ON watch_candidates (entry_id, camera_id, last_seen_at)"
    )
    op.execute(
        "CREATE INDEX watch_candidates_kept ON watch_candidates (evidence_sha256, region)"
        " WHERE forgotten_at IS NULL"
    )
    grant(op, "watch_candidates", "SELECT, INSERT, UPDATE", runtime_role())
    protect_rows(op, "watch_candidates", visible=IN_LIST)


def _reviews() -> None:
    op.execute(
        """
        CREATE TABLE watch_reviews (
            candidate_id uuid NOT NULL REFERENCES watch_candidates,
            reviewer text NOT NULL,
            region text NOT NULL,
            verdict text NOT NULL CHECK (verdict IN ('SAME_PERSON', 'OTHER_PERSON')),
            reason text NOT NULL,
            reviewed_at timestamptz NOT NULL,
            PRIMARY KEY (candidate_id, reviewer)
        )
        """
    )
    grant(op, "watch_reviews", "SELECT, INSERT", runtime_role())
    protect_rows(op, "watch_reviews", visible=IN_LIST)


def _evidence() -> None:
    # A camera's frame becomes evidence for watch-list officers alone: who writes it need not be
    # one, and reads it no more than before. What nobody confirmed is forgotten, row and key.
    op.execute(f"ALTER POLICY evidence_scope ON evidence WITH CHECK ({IS_SYSTEM} OR ({IN_REGION}))")
    grant(op, "evidence", "DELETE", runtime_role())
