"""Reports of the same incident are merged under one, which the others follow.

Both columns are empty in reports of before, so that their hashes stay valid.
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE reports ADD COLUMN parent uuid, ADD COLUMN is_parent boolean")
    for rule in ("is_parent", "parent <> report_id", "parent IS NULL OR NOT complaint"):
        op.execute(f"ALTER TABLE reports ADD CHECK ({rule})")
    op.execute("CREATE INDEX reports_merged ON reports (parent) WHERE parent IS NOT NULL")
    op.execute(
        "CREATE INDEX reports_possible ON reports (duplicate_of) WHERE duplicate_of IS NOT NULL"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
