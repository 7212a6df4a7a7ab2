"""Indexes for every question that the register answers, which row-level security can use.

Row-level security lets an index serve only conditions whose operators are leakproof: equality of
texts and ranges of numbers are, the containment of arrays and `lower` are not. So cameras are found
by the H3 cell of their place (a range of numbers), by their name as it is compared, and by function
in a table of its own. Lists are read region by region, so most indexes begin with it.
"""

from uuid import UUID

from alembic import op
from camera_registry.storage.tables import cell_of, name_folded
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows
from sqlalchemy import text

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BATCH = 5000
_SAVE = text(
    "UPDATE cameras SET cell = given.cell, name_folded = given.name"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:cells AS bigint[]), CAST(:names AS text[]))"
    " AS given(camera_id, cell, name) WHERE cameras.camera_id = given.camera_id"
)
_FUNCTIONS = (
    "SELECT each.camera_id, given.name, each.region FROM {table} AS each"
    " CROSS JOIN unnest(each.functions) AS given(name) WHERE each.retired_at IS NULL"
)


def upgrade() -> None:
    op.execute("ALTER TABLE cameras ADD COLUMN cell bigint, ADD COLUMN name_folded text")
    op.execute("SELECT set_config('app.kind', 'system', true)")
    _compute()
    op.execute("DROP INDEX cameras_latitude")
    op.execute("DROP INDEX cameras_functions")
    op.execute("DROP INDEX cameras_region")
    op.execute("CREATE INDEX cameras_region ON cameras (region, camera_id)")
    op.execute("CREATE INDEX cameras_cell ON cameras (cell, region, camera_id)")
    op.execute("CREATE INDEX cameras_name ON cameras (name_folded, camera_id)")
    op.execute(
        "CREATE INDEX cameras_kind ON cameras (region, kind, camera_id) WHERE retired_at IS NULL"
    )
    op.execute("CREATE INDEX cameras_status ON cameras (region, status, camera_id)")
    op.execute(
        """
        CREATE TABLE camera_functions (
            camera_id uuid NOT NULL REFERENCES cameras,
            function text NOT NULL,
            region text NOT NULL,
            PRIMARY KEY (region, function, camera_id)
        )
        """
    )
    columns = "camera_id, function, region"
    op.execute(f"INSERT INTO camera_functions ({columns}) {_FUNCTIONS.format(table='cameras')}")
    op.execute("SELECT set_config('app.kind', '', true)")
    op.execute("CREATE INDEX camera_functions_camera ON camera_functions (camera_id)")
    grant(op, "camera_functions", "SELECT, INSERT, DELETE", runtime_role())
    protect_rows(op, "camera_functions", visible=IN_REGION)
    added = f"INSERT INTO camera_functions ({columns}) {_FUNCTIONS.format(table='added')};"
    changed = (
        "DELETE FROM camera_functions USING before JOIN added USING (camera_id)"
        " WHERE camera_functions.camera_id = added.camera_id AND (before.functions, before.region,"
        " before.retired_at) IS DISTINCT FROM (added.functions, added.region, added.retired_at);"
        f" INSERT INTO camera_functions ({columns}) {_FUNCTIONS.format(table='added')}"
        " ON CONFLICT DO NOTHING;"
    )
    _trigger("INSERT", "NEW TABLE AS added", added)
    _trigger("UPDATE", "OLD TABLE AS before NEW TABLE AS added", changed)


def _trigger(event: str, tables: str, statements: str) -> None:
    name = f"cameras_functions_{event.lower()}"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN {statements} RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON cameras REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def _compute() -> None:
    connection = op.get_bind()
    query = text("SELECT camera_id, name, latitude, longitude FROM cameras")
    rows = connection.execute(query).all()
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        ids: list[UUID] = [row.camera_id for row in batch]
        cells = [cell_of(row.latitude, row.longitude) for row in batch]
        names = [name_folded(row.name) for row in batch]
        connection.execute(_SAVE, {"ids": ids, "cells": cells, "names": names})


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
