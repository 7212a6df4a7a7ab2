"""Which pictures a device has signed readings for: each is evidence of one measurement."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE signed_pictures (
            device_key bytea NOT NULL,
            picture_sha256 bytea NOT NULL CHECK (octet_length(picture_sha256) = 32),
            counter bigint NOT NULL,
            signed_at timestamptz NOT NULL DEFAULT service_now(),
            PRIMARY KEY (device_key, picture_sha256)
        )
        """
    )
    grant(op, "signed_pictures", "SELECT, INSERT", runtime_role())
