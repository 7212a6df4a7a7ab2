"""Every change of the register, in order, for those who watch it.

Each statement that adds or changes cameras adds its changes as one set, in the same transaction: a
row of `camera_change_sets` and one of `camera_changes` for each camera. A set gets its position
only after its commit, in a later transaction, so that none that commits late is skipped. The ids of
sets are drawn while the statement holds the locks of its cameras: the sets of one camera, in the
order of their ids, are in the order of its changes.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COLUMNS = "set_id, region, camera_id, version, kind, status, elsewhere"
# For the cameras of a changed row whose description or status the statement has changed.
CHANGED = """
    FROM before JOIN added USING (camera_id)
    WHERE (before.version, before.status) IS DISTINCT FROM (added.version, added.status)
"""
KIND = """
    CASE
        WHEN before.retired_at IS NULL AND added.retired_at IS NOT NULL THEN 'RETIRED'
        WHEN before.version <> added.version THEN 'CHANGED'
        ELSE 'STATUS_CHANGED'
    END
"""


def upgrade() -> None:
    op.execute("CREATE SEQUENCE camera_change_set_ids")
    op.execute(
        """
        CREATE TABLE camera_change_sets (
            set_id bigint PRIMARY KEY,
            position bigint UNIQUE,
            changed_at timestamptz NOT NULL
        )
        """
    )
    op.execute(
        "CREATE INDEX camera_change_sets_new ON camera_change_sets (set_id) WHERE position IS NULL"
    )
    op.execute(
        """
        CREATE TABLE camera_changes (
            set_id bigint NOT NULL,
            region text NOT NULL,
            camera_id uuid NOT NULL,
            version bigint NOT NULL,
            kind text NOT NULL,
            status text NOT NULL,
            -- Of a camera that has left this row's region: the one to which it has moved.
            elsewhere text,
            PRIMARY KEY (set_id, region, camera_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE camera_change_feed (
            is_single boolean PRIMARY KEY DEFAULT true CHECK (is_single),
            last_position bigint NOT NULL,
            -- Sets before it are deleted.
            first_position bigint NOT NULL
        ) WITH (fillfactor = 50)
        """
    )
    op.execute("INSERT INTO camera_change_feed (last_position, first_position) VALUES (0, 1)")
    grant(op, "SEQUENCE camera_change_set_ids", "USAGE", runtime_role())
    grant(op, "camera_change_sets", "SELECT, INSERT, UPDATE (position), DELETE", runtime_role())
    grant(op, "camera_changes", "SELECT, INSERT, DELETE", runtime_role())
    grant(op, "camera_change_feed", "SELECT, UPDATE", runtime_role())
    protect_rows(op, "camera_changes", visible=IN_REGION)
    registered = (
        "SELECT this_set, region, camera_id, version, 'REGISTERED', status, NULL FROM added"
        " ORDER BY region, camera_id"
    )
    changed = (
        f"SELECT this_set, added.region, camera_id, added.version, {KIND}, added.status, NULL"
        f" {CHANGED} UNION ALL"
        f" SELECT this_set, before.region, camera_id, added.version, {KIND}, added.status,"
        f" added.region {CHANGED} AND before.region <> added.region"
    )
    _trigger("INSERT", "NEW TABLE AS added", registered)
    _trigger("UPDATE", "OLD TABLE AS before NEW TABLE AS added", changed)
    # The plan of a trigger is kept: one that was made for a single camera would compare each of a
    # thousand with each. This one reads no other tables.
    op.execute("ALTER FUNCTION cameras_change_update() SET enable_nestloop = off")


def _trigger(event: str, tables: str, changes: str) -> None:
    name = f"cameras_change_{event.lower()}"
    op.execute(
        f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            this_set bigint := nextval('camera_change_set_ids');
        BEGIN
            INSERT INTO camera_changes ({COLUMNS}) {changes};
            IF FOUND THEN
                INSERT INTO camera_change_sets (set_id, changed_at)
                VALUES (this_set, service_now());
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON cameras REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
