"""Cameras name the audit entry of the last decision about them, which carries the hash of all that
was decided. Those of before get entries that vouch for what they are now."""

from alembic import op
from audit_log.baseline import OldRecord, Row, add_record_columns, as_system, vouch_for_rows
from camera_registry.model.camera import CAMERA

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_record_columns(op, "cameras")
    as_system(op)
    # What the triggers count and list does not change.
    op.execute("ALTER TABLE cameras DISABLE TRIGGER USER")
    vouch_for_rows(op, "cameras", CAMERA, _of_camera)
    op.execute("ALTER TABLE cameras ENABLE TRIGGER USER")
    as_system(op, ends=True)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")


def _of_camera(row: Row) -> OldRecord:
    return OldRecord(f"camera:{row['camera_id']}", row["region"], row, ())
