"""Streams that are watched, their leases and the ledger of their frames."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _streams()
    _workers()


def _streams() -> None:
    # `address` is sealed: it may hold a password. Every slot before `accounted_until` has come to
    # exactly one outcome; the table itself holds that against every bug.
    op.execute(
        """
        CREATE TABLE streams (
            camera_id uuid PRIMARY KEY,
            region text NOT NULL,
            address bytea NOT NULL,
            frames_per_second double precision NOT NULL
                CHECK (frames_per_second > 0 AND frames_per_second <= 30),
            put_at timestamptz NOT NULL,
            state text NOT NULL,
            state_since timestamptz NOT NULL,
            worker text,
            leased_until timestamptz,
            generation bigint NOT NULL,
            accounted_until bigint NOT NULL,
            looked_at bigint NOT NULL CHECK (looked_at >= 0),
            unchanged bigint NOT NULL CHECK (unchanged >= 0),
            stale bigint NOT NULL CHECK (stale >= 0),
            shed bigint NOT NULL CHECK (shed >= 0),
            stream_away bigint NOT NULL CHECK (stream_away >= 0),
            garbled bigint NOT NULL CHECK (garbled >= 0),
            models_away bigint NOT NULL CHECK (models_away >= 0),
            no_worker bigint NOT NULL CHECK (no_worker >= 0),
            failed bigint NOT NULL CHECK (failed >= 0),
            CHECK ((worker IS NULL) = (leased_until IS NULL)),
            CHECK (accounted_until = looked_at + unchanged + stale + shed + stream_away + garbled
                   + models_away + no_worker + failed)
        )
        """
    )
    grant(op, "streams", "SELECT, INSERT, UPDATE, DELETE", runtime_role())
    protect_rows(op, "streams", visible=IN_REGION)


def _workers() -> None:
    op.execute(
        "CREATE TABLE stream_workers (worker text PRIMARY KEY, seen_at timestamptz NOT NULL)"
    )
    grant(op, "stream_workers", "SELECT, INSERT, UPDATE, DELETE", runtime_role())
