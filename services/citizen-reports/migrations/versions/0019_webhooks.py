"""Secrets of partners' webhooks, and up to which change each partner was told by webhook."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IS_PARTNER, grant, protect_rows

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    runtime = runtime_role()
    op.execute(
        """
        CREATE TABLE webhook_secrets (
            secret_id uuid PRIMARY KEY,
            partner text NOT NULL,
            sealed bytea NOT NULL,
            created_at timestamptz NOT NULL,
            ends_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX webhook_secrets_of_partner ON webhook_secrets (partner)")
    grant(op, "webhook_secrets", "SELECT, INSERT, UPDATE (ends_at), DELETE", runtime)
    protect_rows(op, "webhook_secrets", visible=IS_PARTNER)
    op.execute(
        """
        CREATE TABLE webhooks (
            partner text PRIMARY KEY,
            told bigint NOT NULL,
            attempts integer NOT NULL,
            next_at timestamptz NOT NULL,
            last_error text NOT NULL
        )
        """
    )
    grant(op, "webhooks", "SELECT, INSERT, UPDATE", runtime)
    protect_rows(op, "webhooks", visible=IS_PARTNER)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
