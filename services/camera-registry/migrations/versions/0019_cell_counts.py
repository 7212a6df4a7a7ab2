"""Counts of cameras by H3 cell, kind, functions and status, for the map; an index of former places.

Kept as those of migration 0012 are: each statement that adds or changes cameras adds to
`camera_cell_changes` by how much it changes the counts of cells of resolution 9, and these are
added later to `camera_cell_counts`, which has cells of the resolutions 9, 8, 6 and 4. The number of
an H3 cell holds its resolution, so that one table has them all. It has the counts of all kinds and
functions together besides, under the kind ''.

Besides their number, the places of cameras are summed up in whole 1e-7 degrees, for their mean, and
both halves of their ids by exclusive or: where one camera is left, that is its id.
"""

from alembic import op
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

FINEST, KEPT = 9, (9, 8, 6, 4)
KEY = "cell, region, kind, status, functions"
SUMS = ("count", "latitudes", "longitudes")
IDS = ("id_high", "id_low")
COLUMNS = f"{KEY}, {', '.join((*SUMS, *IDS))}"
# Of all kinds and functions, which are kept under the kind '' besides.
TOGETHER = (
    f"cell, region, '' AS kind, status, '{{}}'::text[] AS functions, {', '.join((*SUMS, *IDS))}"
)
TYPES = """
    cell bigint NOT NULL,
    region text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    functions text[] NOT NULL,
    count bigint NOT NULL,
    latitudes bigint NOT NULL,
    longitudes bigint NOT NULL,
    id_high bigint NOT NULL,
    id_low bigint NOT NULL
"""


def upgrade() -> None:
    op.execute(
        f"CREATE TABLE camera_cell_counts ({TYPES}, PRIMARY KEY ({KEY})) WITH (fillfactor = 70)"
    )
    op.execute(
        "CREATE TABLE camera_cell_changes"
        f" (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {TYPES})"
    )
    op.execute("SELECT set_config('app.kind', 'system', true)")
    for statement in FROM_CAMERAS:
        op.execute(statement)
    op.execute("SELECT set_config('app.kind', '', true)")
    changed = f"UPDATE ({', '.join((*SUMS, *IDS))})"
    grant(op, "camera_cell_counts", f"SELECT, INSERT, {changed}, DELETE", runtime_role())
    grant(op, "camera_cell_changes", "SELECT, INSERT, DELETE", runtime_role())
    for table in ("camera_cell_counts", "camera_cell_changes"):
        protect_rows(op, table, visible=IN_REGION)
    added = _rows("added", sign=1, resolution=FINEST)
    before = _rows("before", sign=-1, resolution=FINEST)
    # For the cameras that stood at a place once.
    op.execute("CREATE INDEX camera_versions_place ON camera_versions (latitude, longitude)")
    _trigger("INSERT", "NEW TABLE AS added", _summed(added))
    _trigger(
        "UPDATE", "OLD TABLE AS before NEW TABLE AS added", _summed(f"{before} UNION ALL {added}")
    )


def _rows(table: str, *, sign: int, resolution: int) -> str:
    """A row for each camera of `table` that is in service."""
    # The parent of an H3 cell: its own resolution in bits 52 to 55, and finer digits all ones.
    mask, ones = ~(0xF << 52), resolution << 52 | (1 << 3 * (15 - resolution)) - 1
    half = "('x' || substr(replace(camera_id::text, '-', ''), {}, 16))::bit(64)::bigint AS {}"
    return (
        f"SELECT (cell & ({mask})) | {ones} AS cell, region, kind, status, functions,"
        f" {sign} AS count, {sign} * round(latitude * 1e7)::bigint AS latitudes,"
        f" {sign} * round(longitude * 1e7)::bigint AS longitudes,"
        f" {half.format(1, 'id_high')}, {half.format(17, 'id_low')}"
        f" FROM {table} WHERE retired_at IS NULL"
    )


def _summed(rows: str) -> str:
    sums = [*(f"sum({each})" for each in SUMS), *(f"bit_xor({each})" for each in IDS)]
    is_any = " OR ".join(f"{each} <> 0" for each in sums)
    return f"SELECT {KEY}, {', '.join(sums)} FROM ({rows}) AS row GROUP BY {KEY} HAVING {is_any}"


def _trigger(event: str, tables: str, changes: str) -> None:
    name = f"cameras_cell_{event.lower()}"
    op.execute(
        f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO camera_cell_changes ({COLUMNS}) {changes};
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON cameras REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def _from_cameras(resolution: int) -> list[str]:
    rows = _rows("cameras", sign=1, resolution=resolution)
    return [
        f"INSERT INTO camera_cell_counts ({COLUMNS}) {_summed(each)}"
        for each in (rows, f"SELECT {TOGETHER} FROM ({rows}) AS row")
    ]


FROM_CAMERAS = [each for resolution in KEPT for each in _from_cameras(resolution)]


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
