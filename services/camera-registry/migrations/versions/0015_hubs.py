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

FOLLOWED = "camera_id, region, hub_id, retired_at, kind, verifications"


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
        f"SELECT DISTINCT hub_id, region FROM ({_except('before', 'added')}"
        f" UNION ALL {_except('added', 'before')}) AS changed WHERE hub_id IS NOT NULL",
    )
    _follow_functions()


def _follow_functions() -> None:
    """Let the trigger of migration 0014 on changed cameras touch only those whose functions did.

    By EXCEPT and not by a join of both tables: the plan of a trigger is kept, and one that was made
    for a single camera would compare each of a thousand with each.
    """
    kept = "camera_id, region, functions, retired_at"
    gone, come = _except("before", "added", kept), _except("added", "before", kept)
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION cameras_functions_update() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            WITH gone AS ({gone})
            DELETE FROM camera_functions USING gone
            WHERE camera_functions.camera_id = gone.camera_id;
            WITH come AS ({come})
            INSERT INTO camera_functions (camera_id, function, region)
            SELECT come.camera_id, given.name, come.region
            FROM come CROSS JOIN unnest(come.functions) AS given(name)
            WHERE come.retired_at IS NULL;
            RETURN NULL;
        END $$
        """
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


def _except(table: str, other: str, columns: str = FOLLOWED) -> str:
    return f"(SELECT {columns} FROM {table} EXCEPT SELECT {columns} FROM {other})"


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
