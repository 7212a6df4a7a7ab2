"""The register of cameras, and the tables of the chassis."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, install_v1, protect_rows

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_v1(op, runtime_role())
    # Heartbeats rewrite status and last_seen, which no index names: with room left on the page
    # such an update touches no index.
    op.execute(
        """
        CREATE TABLE cameras (
            camera_id uuid PRIMARY KEY,
            region text NOT NULL,
            name text NOT NULL,
            latitude double precision NOT NULL,
            longitude double precision NOT NULL,
            address text NOT NULL,
            kind text NOT NULL,
            serial text NOT NULL CONSTRAINT cameras_serial_key UNIQUE,
            make text NOT NULL,
            model text NOT NULL,
            azimuth_degrees double precision NOT NULL,
            owner_bin text NOT NULL,
            connected boolean NOT NULL,
            functions text[] NOT NULL,
            verifications jsonb NOT NULL,
            device_key bytea NOT NULL CHECK (octet_length(device_key) IN (0, 32)),
            certificate_number text NOT NULL,
            speed_tolerance_kmh double precision NOT NULL CHECK (speed_tolerance_kmh >= 0),
            dedupe_seconds integer NOT NULL CHECK (dedupe_seconds > 0),
            status text NOT NULL,
            status_as_of timestamptz NOT NULL,
            last_seen timestamptz,
            version bigint NOT NULL CHECK (version > 0),
            registered_at timestamptz NOT NULL,
            retired_at timestamptz,
            retired_why text NOT NULL DEFAULT '',
            CHECK ((status = 'RETIRED') = (retired_at IS NOT NULL))
        ) WITH (fillfactor = 80)
        """
    )
    op.execute("CREATE INDEX cameras_region ON cameras (region, camera_id)")
    op.execute("CREATE INDEX cameras_latitude ON cameras (latitude, longitude)")
    op.execute("CREATE INDEX cameras_functions ON cameras USING gin (functions)")
    grant(op, "cameras", "SELECT, INSERT, UPDATE", runtime_role())
    protect_rows(op, "cameras", visible=IN_REGION)
