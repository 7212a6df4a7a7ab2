"""The desk has a log-in of its own, for which complaints about officers do not exist (ADR 47).

The policies bind that log-in alone: a process of the release before serves all calls by the log-in
for calls, and sees what it saw.
"""

from alembic import op
from host.log_ins import COMMON_TABLES
from host.migrations import schema_name
from host.schema import keep_from_desk
from sqlalchemy import text

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_PROTECTED = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    " AND relrowsecurity AND relname <> ALL (:common) ORDER BY relname"
)


def upgrade() -> None:
    schema = schema_name()
    own = op.get_bind().execute(_PROTECTED, {"common": list(COMMON_TABLES)}).scalars()
    for table in own.all():
        keep_from_desk(op, table, schema, sealed="complaint" if table == "reports" else "false")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")
