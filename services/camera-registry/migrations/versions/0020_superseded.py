"""A camera's row says since when its description holds; `camera_versions` keeps the earlier ones.

A camera that never changes is then written once, and not twice.
"""

from uuid import UUID

from alembic import op
from sqlalchemy import Connection, text

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BATCH = 20_000
NIL = UUID(int=0)
_END = text(
    "SELECT camera_id FROM (SELECT camera_id FROM cameras WHERE camera_id > :after"
    " ORDER BY camera_id LIMIT :batch) AS batch ORDER BY camera_id DESC LIMIT 1"
)
# A camera without versions cannot be; if one were, its description would hold since registration.
_HOLD = text(
    "UPDATE cameras SET held_from = coalesce((SELECT max(kept.held_from)"
    " FROM camera_versions AS kept WHERE kept.camera_id = cameras.camera_id), registered_at)"
    " WHERE camera_id > :after AND camera_id <= :until"
)
_FORGET = text(
    "DELETE FROM camera_versions AS kept USING cameras"
    " WHERE kept.camera_id = cameras.camera_id AND kept.version = cameras.version"
    " AND kept.camera_id > :after AND kept.camera_id <= :until"
)


def upgrade() -> None:
    op.execute("ALTER TABLE cameras ADD COLUMN held_from timestamptz")
    # Neither counts nor functions change.
    op.execute("ALTER TABLE cameras DISABLE TRIGGER USER")
    op.execute("SELECT set_config('app.kind', 'system', true)")
    _move(op.get_bind())
    op.execute("SELECT set_config('app.kind', '', true)")
    op.execute("ALTER TABLE cameras ENABLE TRIGGER USER")
    op.execute("ALTER TABLE cameras ALTER COLUMN held_from SET NOT NULL")


def _move(connection: Connection) -> None:
    """Batch by batch: a statement of a migration may take a minute, a country takes longer."""
    after = NIL
    while until := connection.scalar(_END, {"after": after, "batch": BATCH}):
        for statement in (_HOLD, _FORGET):
            connection.execute(statement, {"after": after, "until": until})
        after = until


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
