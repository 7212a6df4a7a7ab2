"""Site and category, operator, height, field of view and retention of cameras; none before."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


COLUMNS = (
    "site text NOT NULL DEFAULT ''",
    "site_category text NOT NULL DEFAULT ''",
    "operator_bin text NOT NULL DEFAULT ''",
    "height_metres double precision NOT NULL DEFAULT 0",
    "field_of_view_degrees double precision NOT NULL DEFAULT 0",
    "retention_days integer NOT NULL DEFAULT 0",
)


def upgrade() -> None:
    for table in ("cameras", "camera_versions"):
        op.execute(f"ALTER TABLE {table} {', '.join(f'ADD COLUMN {each}' for each in COLUMNS)}")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
