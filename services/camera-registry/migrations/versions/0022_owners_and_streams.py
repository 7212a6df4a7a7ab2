"""Owners who are persons and streams, in narrow tables of their own with encrypted columns; ONVIF
profiles, control centre and validity of the type approval; none before.

Under row-level security an owner's row is seen by those alone who may learn the IIN, and by
services, which the use cases hold back.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IS_SERVICE, grant, has_role, protect_rows

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

COLUMNS = (
    "onvif_profiles text[] NOT NULL DEFAULT '{}'",
    "control_centre text NOT NULL DEFAULT ''",
    "certificate_valid_until timestamptz",
)
CAMERA_IS_VISIBLE = "EXISTS (SELECT 1 FROM cameras WHERE cameras.camera_id = {table}.camera_id)"
KNOWS_PERSONS = f"({IS_SERVICE} OR {has_role('camera_administrator')} OR {has_role('supervisor')})"


def upgrade() -> None:
    for table in ("cameras", "camera_versions"):
        op.execute(f"ALTER TABLE {table} {', '.join(f'ADD COLUMN {each}' for each in COLUMNS)}")
    op.execute(
        """
        CREATE TABLE camera_owners (
            camera_id uuid PRIMARY KEY REFERENCES cameras,
            owner_index bytea NOT NULL,
            key_id uuid NOT NULL REFERENCES data_keys,
            iin_sealed bytea NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX camera_owners_index ON camera_owners (owner_index, camera_id)")
    visible = f"{KNOWS_PERSONS} AND {CAMERA_IS_VISIBLE.format(table='camera_owners')}"
    _open_to_runtime("camera_owners", visible)
    op.execute(
        """
        CREATE TABLE camera_streams (
            camera_id uuid NOT NULL REFERENCES cameras,
            name text NOT NULL,
            position integer NOT NULL,
            url text NOT NULL,
            role text NOT NULL,
            username text NOT NULL,
            key_id uuid REFERENCES data_keys,
            password_index bytea,
            password_sealed bytea,
            PRIMARY KEY (camera_id, name),
            CHECK ((key_id IS NULL) = (password_sealed IS NULL)),
            CHECK ((key_id IS NULL) = (password_index IS NULL))
        )
        """
    )
    _open_to_runtime("camera_streams", CAMERA_IS_VISIBLE.format(table="camera_streams"))


def _open_to_runtime(table: str, visible: str) -> None:
    grant(op, table, "SELECT, INSERT, UPDATE, DELETE", runtime_role())
    protect_rows(op, table, visible=visible)


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
