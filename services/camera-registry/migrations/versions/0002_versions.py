"""Every version of a camera's description, with the moment from which it held."""

from alembic import op
from host.migrations import runtime_role
from host.schema import grant, protect_rows

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DESCRIPTION = (
    "region, name, latitude, longitude, address, kind, serial, make, model, azimuth_degrees,"
    " owner_bin, connected, functions, verifications, device_key, certificate_number,"
    " speed_tolerance_kmh, dedupe_seconds"
)
# Who may see a camera may see what it was: by its present region. By the region of each version, a
# hidden one would leave the version before it as a wrong answer.
CAMERA_IS_VISIBLE = (
    "EXISTS (SELECT 1 FROM cameras WHERE cameras.camera_id = camera_versions.camera_id)"
)


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE camera_versions (
            camera_id uuid NOT NULL REFERENCES cameras,
            version bigint NOT NULL CHECK (version > 0),
            held_from timestamptz NOT NULL,
            region text NOT NULL,
            name text NOT NULL,
            latitude double precision NOT NULL,
            longitude double precision NOT NULL,
            address text NOT NULL,
            kind text NOT NULL,
            serial text NOT NULL,
            make text NOT NULL,
            model text NOT NULL,
            azimuth_degrees double precision NOT NULL,
            owner_bin text NOT NULL,
            connected boolean NOT NULL,
            functions text[] NOT NULL,
            verifications jsonb NOT NULL,
            device_key bytea NOT NULL,
            certificate_number text NOT NULL,
            speed_tolerance_kmh double precision NOT NULL,
            dedupe_seconds integer NOT NULL,
            PRIMARY KEY (camera_id, version)
        )
        """
    )
    # Earlier descriptions were not kept: the present one counts since the registration.
    op.execute("SELECT set_config('app.kind', 'system', true)")
    op.execute(
        f"INSERT INTO camera_versions (camera_id, version, held_from, {DESCRIPTION})"
        f" SELECT camera_id, version, registered_at, {DESCRIPTION} FROM cameras"
    )
    grant(op, "camera_versions", "SELECT, INSERT", runtime_role())
    protect_rows(op, "camera_versions", visible=CAMERA_IS_VISIBLE)
