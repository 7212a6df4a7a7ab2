"""Hubs, which report on the cameras connected to them, in place of heartbeats of single cameras.

A camera's status is what its hub's last report says of it, so only the hub's row has the time of
that report. Triggers note which hubs' cameras have changed, for the process that reads reports.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

FOLLOWED = "hub_id, retired_at, kind, verifications"


def upgrade() -> None:
    _create_tables()
    op.execute(
        "ALTER TABLE cameras ADD COLUMN hub_id uuid REFERENCES hubs,"
        " ADD COLUMN status_source text NOT NULL DEFAULT 'REGISTER',"
        " ADD COLUMN status_reason text NOT NULL DEFAULT '',"
        " ADD COLUMN status_version bigint NOT NULL DEFAULT 0,"
        " ADD COLUMN status_changed_at timestamptz[] NOT NULL DEFAULT '{}'"
    )
    op.execute("ALTER TABLE camera_versions ADD COLUMN hub_id uuid")
    op.execute("SELECT set_config('app.kind', 'system', true)")
    # Nobody has said by a signed report what these cameras' statuses are.
    op.execute(
        "UPDATE cameras SET status = 'UNKNOWN', status_version = 1,"
        " status_as_of = coalesce((SELECT heard_at FROM camera_life"
        " WHERE camera_life.camera_id = cameras.camera_id), status_as_of)"
        " WHERE status IN ('ONLINE', 'DEGRADED', 'OFFLINE')"
    )
    op.execute("SELECT set_config('app.kind', '', true)")
    op.execute("DROP TABLE camera_life")
    op.execute(
        "CREATE INDEX cameras_hub ON cameras (hub_id, camera_id)"
        " WHERE hub_id IS NOT NULL AND retired_at IS NULL"
    )
    _trigger(
        "INSERT",
        "NEW TABLE AS added",
        "SELECT DISTINCT hub_id, region FROM added WHERE hub_id IS NOT NULL",
    )
    _trigger(
        "UPDATE",
        "OLD TABLE AS before NEW TABLE AS added",
        "SELECT DISTINCT changed.hub_id, changed.region FROM before JOIN added USING (camera_id)"
        " CROSS JOIN LATERAL (VALUES (before.hub_id, before.region), (added.hub_id, added.region))"
        " AS changed (hub_id, region)"
        f" WHERE ({_names('before')}) IS DISTINCT FROM ({_names('added')})"
        " AND changed.hub_id IS NOT NULL",
    )


def _create_tables() -> None:
    op.execute(
        """
        CREATE TABLE hubs (
            hub_id uuid PRIMARY KEY,
            region text NOT NULL,
            name text NOT NULL,
            kind text NOT NULL,
            public_key bytea NOT NULL CONSTRAINT hubs_key UNIQUE,
            registered_at timestamptz NOT NULL,
            revoked_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX hubs_region ON hubs (region, hub_id)")
    op.execute(
        """
        CREATE TABLE hub_life (
            hub_id uuid PRIMARY KEY REFERENCES hubs,
            region text NOT NULL,
            number bigint NOT NULL,
            heard_at timestamptz NOT NULL,
            is_silent boolean NOT NULL,
            events bigint NOT NULL
        ) WITH (fillfactor = 50)
        """
    )
    op.execute(
        """
        CREATE TABLE hub_incidents (
            incident_id uuid PRIMARY KEY,
            hub_id uuid NOT NULL REFERENCES hubs,
            region text NOT NULL,
            silent_since timestamptz NOT NULL,
            opened_at timestamptz NOT NULL,
            ended_at timestamptz,
            cameras integer NOT NULL,
            times integer NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX hub_incidents_hub ON hub_incidents (hub_id, opened_at)")
    op.execute(
        "CREATE UNIQUE INDEX hub_incidents_open ON hub_incidents (hub_id) WHERE ended_at IS NULL"
    )
    op.execute(
        """
        CREATE TABLE hub_changes (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            hub_id uuid NOT NULL,
            region text NOT NULL
        )
        """
    )
    for table, privileges in (
        ("hubs", "SELECT, INSERT, UPDATE (revoked_at)"),
        ("hub_life", "SELECT, INSERT, UPDATE (number, heard_at, is_silent, events)"),
        ("hub_incidents", "SELECT, INSERT, UPDATE (silent_since, ended_at, cameras, times)"),
        ("hub_changes", "SELECT, INSERT, DELETE"),
    ):
        grant(op, table, privileges, runtime_role())
        protect_rows(op, table, visible=IN_REGION)


def _names(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in FOLLOWED.split(", "))


def _trigger(event: str, tables: str, changed: str) -> None:
    name = f"cameras_hub_{event.lower()}"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN INSERT INTO hub_changes (hub_id, region) {changed}; RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON cameras REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
