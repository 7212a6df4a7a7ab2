"""Serial numbers are compared as people read them, with the make, and free after retirement.

Of cameras that had spellings of one number, the one that was registered first counts from now on.
The others have no make to be compared, so they are still found by their number, and stay as they
are until they are changed.
"""

from uuid import UUID

from alembic import op
from camera_registry.serials import folded
from sqlalchemy import text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BATCH = 5000
_SAVE = text(
    "UPDATE cameras SET make_folded = given.make, serial_folded = given.serial"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:makes AS text[]), CAST(:serials AS text[]))"
    " AS given(camera_id, make, serial) WHERE cameras.camera_id = given.camera_id"
)


def upgrade() -> None:
    op.execute("ALTER TABLE cameras DROP CONSTRAINT cameras_serial_key")
    op.execute("ALTER TABLE cameras ADD COLUMN make_folded text, ADD COLUMN serial_folded text")
    op.execute("SELECT set_config('app.kind', 'system', true)")
    _fold()
    op.execute("SELECT set_config('app.kind', '', true)")
    op.execute(
        "CREATE UNIQUE INDEX cameras_serials ON cameras (serial_folded, make_folded)"
        " WHERE retired_at IS NULL"
    )
    op.execute("CREATE INDEX cameras_serials_ever ON cameras (serial_folded, make_folded)")


def _fold() -> None:
    connection = op.get_bind()
    rows = connection.execute(
        text(
            "SELECT camera_id, make, serial, retired_at IS NOT NULL AS retired"
            " FROM cameras ORDER BY registered_at, camera_id"
        )
    )
    used: set[tuple[str, str]] = set()
    found: list[tuple[UUID, str | None, str]] = []
    for row in rows:
        make, serial = folded(row.make), folded(row.serial)
        counts = row.retired or (make, serial) not in used
        found.append((row.camera_id, make if counts else None, serial))
        if not row.retired:
            used.add((make, serial))
    for start in range(0, len(found), BATCH):
        ids, makes, serials = zip(*found[start : start + BATCH], strict=True)
        given = {"ids": list(ids), "makes": list(makes), "serials": list(serials)}
        connection.execute(_SAVE, given)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
