"""Frames of streams that were lost because the camera refuses the password have a count."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OUTCOMES = (
    "looked_at + unchanged + stale + shed + stream_away + unauthorized + garbled + models_away"
    " + no_worker + failed"
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE streams ADD COLUMN unauthorized bigint NOT NULL DEFAULT 0"
        " CHECK (unauthorized >= 0)"
    )
    # The sum of all outcomes; PostgreSQL made the name up when the table was created.
    op.execute(
        """
        DO $$
        DECLARE old text;
        BEGIN
            SELECT conname INTO STRICT old FROM pg_constraint
            WHERE conrelid = 'streams'::regclass AND contype = 'c'
              AND pg_get_constraintdef(oid) LIKE '%no_worker%' AND
                  pg_get_constraintdef(oid) LIKE '%accounted_until%';
            EXECUTE format('ALTER TABLE streams DROP CONSTRAINT %I', old);
        END $$
        """
    )
    op.execute(
        f"ALTER TABLE streams ADD CONSTRAINT streams_outcomes CHECK (accounted_until = {OUTCOMES})"
    )
