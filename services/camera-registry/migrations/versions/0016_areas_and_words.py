"""Words, alphabetical order, owners, categories and districts of cameras, and their indexes.

Row-level security lets no full-text index serve a question, whose operators are not leakproof. So a
table of words has a row for each word of a camera's name, site and address, which triggers keep: a
rare word is found by reading few rows, a common one in the order of ids.
"""

from uuid import UUID

from alembic import op
from camera_registry.letters import words_of
from camera_registry.storage.tables import region_and_name
from host.migrations import runtime_role
from host.schema import IN_REGION, grant, protect_rows
from sqlalchemy import text

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BATCH = 5000
_SAVE = text(
    "UPDATE cameras SET name_order = given.name_order, words = string_to_array(given.words, ' ')"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:orders AS text[]), CAST(:words AS text[]))"
    " AS given(camera_id, name_order, words) WHERE cameras.camera_id = given.camera_id"
)
_WORDS = (
    "SELECT each.region, given.word, each.camera_id FROM {table} AS each"
    " CROSS JOIN unnest(each.words) AS given(word)"
)


def upgrade() -> None:
    # In the order of code points, whatever the order of the database is.
    op.execute(
        'ALTER TABLE cameras ADD COLUMN name_order text COLLATE "C", ADD COLUMN words text[]'
    )
    op.execute("SELECT set_config('app.kind', 'system', true)")
    _compute()
    op.execute("CREATE INDEX cameras_name_order ON cameras (name_order, camera_id)")
    op.execute("CREATE INDEX cameras_owner ON cameras (region, owner_bin, camera_id)")
    op.execute(
        "CREATE INDEX cameras_site_category ON cameras (region, site_category, camera_id)"
        " WHERE site_category <> ''"
    )
    op.execute("CREATE INDEX cameras_kato ON cameras (region, kato, camera_id) WHERE kato <> ''")
    op.execute(
        """
        CREATE TABLE camera_words (
            region text NOT NULL,
            word text COLLATE "C" NOT NULL,
            camera_id uuid NOT NULL,
            PRIMARY KEY (region, word, camera_id)
        )
        """
    )
    op.execute(f"INSERT INTO camera_words (region, word, camera_id) {_words('cameras')}")
    op.execute("SELECT set_config('app.kind', '', true)")
    grant(op, "camera_words", "SELECT, INSERT, DELETE", runtime_role())
    protect_rows(op, "camera_words", visible=IN_REGION)
    added = f"INSERT INTO camera_words (region, word, camera_id) {_words('added')};"
    # By EXCEPT and not by a join of both tables: the plan of a trigger is kept, and one that was
    # made for a single camera would compare each of a thousand with each.
    changed = f"""
        WITH gone AS ({_except("before", "added")})
        DELETE FROM camera_words USING gone CROSS JOIN LATERAL unnest(gone.words) AS former(word)
        WHERE camera_words.region = gone.region AND camera_words.word = former.word
        AND camera_words.camera_id = gone.camera_id;
        WITH come AS ({_except("added", "before")})
        INSERT INTO camera_words (region, word, camera_id) {_words("come")};
    """
    _trigger("INSERT", "NEW TABLE AS added", added)
    _trigger("UPDATE", "OLD TABLE AS before NEW TABLE AS added", changed)


def _except(table: str, other: str) -> str:
    columns = "camera_id, region, words"
    return f"SELECT {columns} FROM {table} EXCEPT SELECT {columns} FROM {other}"


def _words(table: str) -> str:
    return _WORDS.format(table=table)


def _trigger(event: str, tables: str, statements: str) -> None:
    name = f"cameras_words_{event.lower()}"
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
    query = text(
        "SELECT camera_id, region, coalesce(name, '') AS name, coalesce(name_folded, '')"
        " AS name_folded, coalesce(site, '') AS site, coalesce(address, '') AS address FROM cameras"
    )
    rows = connection.execute(query).all()
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        ids: list[UUID] = [row.camera_id for row in batch]
        orders = [region_and_name(row.region, row.name_folded) for row in batch]
        words = [" ".join(words_of(row.name, row.site, row.address)) for row in batch]
        connection.execute(_SAVE, {"ids": ids, "orders": orders, "words": words})


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
