"""One violation a passage over all cameras, evidence used once, and what contradicts what."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    role = runtime_role()
    # Row-level security holds for the owner, too: what is copied here must be seen.
    op.execute("SELECT set_config('app.kind', 'system', true)")
    _passages()
    _evidence(role)
    _conflicts(role)
    op.execute("ALTER TABLE reads ADD COLUMN arrived_at timestamptz")


def _passages() -> None:
    # A passage is no longer that of one camera: the vehicle is locked while it is looked for.
    op.execute("ALTER TABLE violations DROP CONSTRAINT violations_seen_once")
    op.execute("ALTER TABLE violations DROP COLUMN dedupe_window")
    op.execute("DROP INDEX violations_neighbours")
    op.execute("CREATE INDEX violations_neighbours ON violations (plate_index, occurred_at)")


def _evidence(role: str) -> None:
    op.execute(
        """
        CREATE TABLE evidence_uses (
            sha256 text PRIMARY KEY,
            violation_id uuid NOT NULL REFERENCES violations
        )
        """
    )
    # What stood in two before stays with the older one; both violations keep their own record.
    op.execute(
        """
        INSERT INTO evidence_uses (sha256, violation_id)
        SELECT DISTINCT ON (sha256) sha256, violation_id
        FROM violations, unnest(evidence_sha256) AS sha256
        ORDER BY sha256, detected_at, violation_id
        """
    )
    grant(op, "evidence_uses", "SELECT, INSERT", role)
    protect_rows(op, "evidence_uses", visible="false")


def _conflicts(role: str) -> None:
    op.execute(
        """
        CREATE TABLE conflicts (
            violation_id uuid NOT NULL REFERENCES violations,
            conflicting_id uuid NOT NULL REFERENCES violations,
            region text NOT NULL,
            holds boolean NOT NULL,
            found_at timestamptz NOT NULL,
            PRIMARY KEY (violation_id, conflicting_id),
            CHECK (violation_id <> conflicting_id)
        )
        """
    )
    op.execute("CREATE INDEX conflicts_other ON conflicts (conflicting_id)")
    grant(op, "conflicts", "SELECT, INSERT", role)
    protect_rows(op, "conflicts", visible=IN_REGION)
    # Who may read one of two may read the other, in whatever region it is; neither lock nor change.
    op.execute(
        """
        CREATE POLICY violations_shown_beside ON violations FOR SELECT USING (
            EXISTS (SELECT FROM conflicts WHERE conflicting_id = violations.violation_id)
        )
        """
    )
    grant(op, "violations", "UPDATE (hold)", role)
