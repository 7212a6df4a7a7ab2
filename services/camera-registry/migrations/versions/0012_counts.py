"""Counts of cameras by region, property and status, kept by the database itself.

Each statement that adds or changes cameras adds rows to `camera_count_changes`, in the same
transaction: by how much it changes which count. They are added to `camera_counts` later; the sum of
both tables is exact at all times. Because a transaction only adds rows, no two ever wait for each
other's counts.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# The properties under which a camera counts; one with two functions counts under each.
PROPERTIES = """
    SELECT 'registered' AS property, '' AS value
    UNION ALL SELECT 'connected', '' WHERE each.connected
    UNION ALL SELECT 'with_ai', '' WHERE cardinality(each.functions) > 0
    UNION ALL SELECT 'kind', each.kind
    UNION ALL SELECT 'site_category', each.site_category WHERE each.site_category <> ''
    UNION ALL SELECT 'function', name FROM unnest(each.functions) AS name
"""
KEY = "region, property, value, status"


def upgrade() -> None:
    op.execute(
        f"""
        CREATE TABLE camera_counts (
            region text NOT NULL,
            property text NOT NULL,
            value text NOT NULL,
            status text NOT NULL,
            count bigint NOT NULL,
            PRIMARY KEY ({KEY})
        ) WITH (fillfactor = 50)
        """
    )
    op.execute(
        """
        CREATE TABLE camera_count_changes (
            position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            region text NOT NULL,
            property text NOT NULL,
            value text NOT NULL,
            status text NOT NULL,
            count bigint NOT NULL
        )
        """
    )
    op.execute("SELECT set_config('app.kind', 'system', true)")
    op.execute(f"INSERT INTO camera_counts ({KEY}, count) {_counted('cameras', sign='1')}")
    op.execute("SELECT set_config('app.kind', '', true)")
    grant(op, "camera_counts", "SELECT, INSERT, UPDATE (count)", runtime_role())
    grant(op, "camera_count_changes", "SELECT, INSERT, DELETE", runtime_role())
    for table in ("camera_counts", "camera_count_changes"):
        protect_rows(op, table, visible=IN_REGION)
    _trigger("INSERT", "NEW TABLE AS added", _counted("added", sign="1"))
    before, after = _rows("before", sign="-1"), _rows("added", sign="1")
    _trigger(
        "UPDATE",
        "OLD TABLE AS before NEW TABLE AS added",
        _summed(f"{before} UNION ALL {after}"),
    )


def _trigger(event: str, tables: str, changes: str) -> None:
    name = f"cameras_count_{event.lower()}"
    op.execute(
        f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO camera_count_changes ({KEY}, count) {changes};
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON cameras REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def _counted(table: str, *, sign: str) -> str:
    return _summed(_rows(table, sign=sign))


def _summed(rows: str) -> str:
    return f"SELECT {KEY}, sum(sign) FROM ({rows}) AS row GROUP BY {KEY} HAVING sum(sign) <> 0"


def _rows(table: str, *, sign: str) -> str:
    """One row for each camera of `table` that is not retired and each of its properties."""
    return (
        f"SELECT each.region, of.property, of.value, each.status, {sign} AS sign"
        f" FROM {table} AS each CROSS JOIN LATERAL ({PROPERTIES}) AS of"
        " WHERE each.retired_at IS NULL"
    )


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
