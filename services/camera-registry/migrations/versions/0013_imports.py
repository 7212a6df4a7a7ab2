"""What became of each batch of an import, for its caller alone."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant, protect_rows

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

IS_CALLERS = (
    "caller = current_setting('app.kind', true) || '/' || current_setting('app.name', true)"
)


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE import_batches (
            caller text NOT NULL,
            import_id uuid NOT NULL,
            number bigint NOT NULL CHECK (number > 0),
            last_row bigint NOT NULL,
            rows_sha256 bytea NOT NULL,
            added integer NOT NULL,
            changed integer NOT NULL,
            unchanged integer NOT NULL,
            refused_rows integer NOT NULL,
            refused jsonb NOT NULL,
            duplicates jsonb NOT NULL,
            imported_at timestamptz NOT NULL,
            PRIMARY KEY (caller, import_id, number)
        )
        """
    )
    grant(op, "import_batches", "SELECT, INSERT", runtime_role())
    protect_rows(op, "import_batches", visible=IS_CALLERS)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
