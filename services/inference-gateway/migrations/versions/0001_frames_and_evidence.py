"""Frames looked at, the evidence kept of them, and what is known here of cameras and devices."""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, IS_SERVICE, grant, install_v1, protect_rows

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    install_v1(op, runtime_role())
    _cameras()
    _frames()
    _evidence()
    _device_counters()


def _cameras() -> None:
    # A copy of what camera-registry told; `known_version` runs ahead of `version` from the moment
    # that an event announces a change until the camera has been asked for again.
    op.execute(
        """
        CREATE TABLE cameras (
            camera_id uuid PRIMARY KEY,
            region text NOT NULL,
            known_version bigint NOT NULL,
            version bigint NOT NULL DEFAULT 0,
            serial text NOT NULL DEFAULT '',
            device_key bytea NOT NULL DEFAULT '',
            retired boolean NOT NULL DEFAULT false,
            fetched_at timestamptz
        )
        """
    )
    grant(op, "cameras", "SELECT, INSERT, UPDATE", runtime_role())
    protect_rows(op, "cameras", visible=IN_REGION)


def _frames() -> None:
    # `result` is sealed with the data key `key_id` where it holds a plate, plain JSON where not.
    op.execute(
        """
        CREATE TABLE frames (
            caller text NOT NULL,
            frame_id uuid NOT NULL,
            camera_id uuid NOT NULL,
            region text NOT NULL,
            captured_at timestamptz NOT NULL,
            story text NOT NULL,
            evidence_sha256 text,
            key_id uuid,
            result bytea NOT NULL,
            kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (caller, frame_id)
        )
        """
    )
    op.execute("CREATE INDEX frames_camera ON frames (camera_id, captured_at)")
    grant(op, "frames", "SELECT, INSERT", runtime_role())
    protect_rows(op, "frames", visible=IN_REGION)


def _evidence() -> None:
    # The same content may belong to two regions, or to a role alone and to all: each has its own
    # sealed object under a key of its own.
    op.execute(
        """
        CREATE TABLE evidence (
            sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
            region text NOT NULL,
            only_role text NOT NULL,
            content_type text NOT NULL,
            size_bytes bigint NOT NULL CHECK (size_bytes > 0),
            key_id uuid NOT NULL,
            object_path text NOT NULL UNIQUE,
            stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (sha256, region, only_role)
        )
        """
    )
    grant(op, "evidence", "SELECT, INSERT", runtime_role())
    role_allows = (
        f"(only_role = '' OR {_caller_has('only_role')} OR ({IS_SERVICE}"
        " AND current_setting('app.name', true) = 'citizen-reports'))"
    )
    protect_rows(op, "evidence", visible=f"{IN_REGION} AND {role_allows}")


def _device_counters() -> None:
    op.execute(
        """
        CREATE TABLE device_counters (
            device_key bytea PRIMARY KEY CHECK (octet_length(device_key) = 32),
            counter bigint NOT NULL,
            counted_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    grant(op, "device_counters", "SELECT, INSERT, UPDATE", runtime_role())


def _caller_has(column: str) -> str:
    return f"({column} = ANY(string_to_array(current_setting('app.roles', true), ',')))"
