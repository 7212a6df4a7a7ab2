"""What is kept of frames that may be an attack, and what golden probes found of each function."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _quarantine()
    _probes()


def _quarantine() -> None:
    # Digests, counters and moments: neither the picture nor anything read from it. A flood fills
    # `quarantine_days` alone, one row a sender and day.
    op.execute(
        """
        CREATE TABLE quarantine (
            quarantine_id uuid PRIMARY KEY,
            camera_id uuid NOT NULL,
            region text NOT NULL,
            sender text NOT NULL,
            reason text NOT NULL,
            frame_id uuid NOT NULL,
            captured_at timestamptz NOT NULL,
            picture_sha256 bytea NOT NULL CHECK (octet_length(picture_sha256) = 32),
            signed_sha256 bytea CHECK (octet_length(signed_sha256) = 32),
            counter bigint,
            counter_before bigint,
            device_time timestamptz,
            story text NOT NULL,
            arrived_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX quarantine_newest ON quarantine (arrived_at DESC, quarantine_id)")
    grant(op, "quarantine", "SELECT, INSERT, DELETE", runtime_role())
    protect_rows(op, "quarantine", visible=IN_REGION)
    op.execute(
        """
        CREATE TABLE quarantine_days (
            sender text NOT NULL,
            day date NOT NULL,
            arrived bigint NOT NULL CHECK (arrived > 0),
            PRIMARY KEY (sender, day)
        )
        """
    )
    grant(op, "quarantine_days", "SELECT, INSERT, UPDATE, DELETE", runtime_role())


def _probes() -> None:
    # `degradation_id` and `since` are there while the function is told to be degraded; `right_at`
    # is when it was last right in all.
    op.execute(
        """
        CREATE TABLE probed_functions (
            function text PRIMARY KEY CHECK (function IN ('PLATES', 'FACES', 'OBJECTS')),
            degradation_id uuid,
            since timestamptz,
            right_at timestamptz,
            wrong_since timestamptz,
            probes integer NOT NULL,
            answered_right integer NOT NULL,
            slowest_seconds double precision NOT NULL,
            models_fingerprint text NOT NULL,
            probed_at timestamptz NOT NULL,
            CHECK ((degradation_id IS NULL) = (since IS NULL))
        )
        """
    )
    grant(op, "probed_functions", "SELECT, INSERT, UPDATE", runtime_role())
