"""Versions of the rules that route reports. Version 0, the table of `law`, has no rows."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    runtime = runtime_role()
    op.execute(
        """
        CREATE TABLE routing_versions (
            version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            request_id uuid NOT NULL,
            default_desk text NOT NULL,
            note text NOT NULL,
            drafted_at timestamptz NOT NULL,
            replayed_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX routing_versions_asked ON routing_versions (request_id)")
    grant(op, "routing_versions", "SELECT, INSERT, UPDATE (replayed_at)", runtime)
    op.execute(
        """
        CREATE TABLE routing_rules (
            version bigint NOT NULL REFERENCES routing_versions,
            position integer NOT NULL,
            name text NOT NULL,
            categories text[] NOT NULL,
            classes text[] NOT NULL,
            regions text[] NOT NULL,
            districts text[] NOT NULL,
            languages text[] NOT NULL,
            from_hour integer NOT NULL,
            until_hour integer NOT NULL,
            days text NOT NULL,
            desk text NOT NULL,
            unit text NOT NULL,
            PRIMARY KEY (version, position),
            UNIQUE (version, name)
        )
        """
    )
    grant(op, "routing_rules", "SELECT, INSERT", runtime)
    # Which version is active from when; 0 for the table of `law`. Rows are only added: of those
    # that have begun, the one that began last counts.
    op.execute(
        """
        CREATE TABLE routing_activations (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            version bigint NOT NULL,
            active_from timestamptz NOT NULL
        )
        """
    )
    grant(op, "routing_activations", "SELECT, INSERT", runtime)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
