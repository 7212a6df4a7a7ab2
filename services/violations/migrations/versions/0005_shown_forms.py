"""The form of each frame that officers are shown, and attempts to open what is hidden."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant, index_attempts

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # evidence_sha256 stays the originals'; "" or an empty array where the form is not known yet.
    op.execute("ALTER TABLE reads ADD COLUMN shown_sha256 text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE violations ADD COLUMN shown_sha256 text[] NOT NULL DEFAULT '{}'")
    grant(op, "violations", "UPDATE (shown_sha256)", runtime_role())
    # What nobody has decided yet is shown in its new form, whose hash must be known before it is.
    op.execute("SELECT set_config('app.kind', 'system', true)")
    op.execute(
        "INSERT INTO work (kind, key, due_at, traceparent, story)"
        " SELECT 'learn_forms', violation_id::text, service_now(), '', story"
        " FROM violations WHERE state = 'REVIEW'"
    )
    op.execute("SELECT set_config('app.kind', '', true)")
    index_attempts(op)
