"""Installs the tables of `chassis.tables` and row-level security in a service's schema.

Only migrations use this module. A service's Alembic history calls `install_v1(op, runtime_role)`
once. Later changes of the tables are `install_v2` and so on. `install_v1` grants privileges to one
runtime role; `log_ins.install_v4` replaces these by the privileges of three log-ins.
"""

import re
from typing import Protocol

from chassis.tables import (
    IS_ATTEMPT,
    audit,
    audit_heads,
    audit_leaves,
    audit_pending,
    data_keys,
    dead_letters,
    inbox,
    metadata,
    outbox,
    outbox_streams,
    requests,
    work,
)
from sqlalchemy import Connection, text

_GRANTS = {
    outbox: "SELECT, INSERT, UPDATE (published_at, stream_sequence, mac), DELETE",
    outbox_streams: "SELECT, INSERT, UPDATE",
    inbox: "SELECT, INSERT, DELETE",
    dead_letters: "SELECT, INSERT, UPDATE",
    requests: "SELECT, INSERT",
    work: "SELECT, INSERT, UPDATE",
    audit: "SELECT, INSERT",
    audit_pending: "SELECT, INSERT, DELETE",
    audit_leaves: "SELECT, INSERT",
    audit_heads: "SELECT, INSERT",
    data_keys: "SELECT, INSERT, UPDATE (wrapped, destroyed_at, destroyed_by)",
}


class Operations(Protocol):
    """The methods needed here; both the module `alembic.op` and Alembic's Operations have them."""

    def execute(self, sqltext: str) -> None: ...

    def get_bind(self) -> Connection: ...


def install_v1(op: Operations, runtime_role: str) -> None:
    """Create the tables of `chassis.tables`; grant the runtime role its privileges on them."""
    metadata.create_all(op.get_bind())
    op.execute("CREATE INDEX outbox_unpublished ON outbox (position) WHERE published_at IS NULL")
    op.execute("CREATE INDEX outbox_created ON outbox (created_at)")
    op.execute("CREATE INDEX work_due ON work (due_at) WHERE done_at IS NULL")
    for table, privileges in _GRANTS.items():
        grant(op, table.name, privileges, runtime_role)


def index_attempts(op: Operations) -> None:
    """Create an index of audit entries about refused attempts to open a record (`ListAttempts`)."""
    op.execute(f"CREATE INDEX audit_attempts ON audit (position) WHERE {IS_ATTEMPT}")


def index_work_by_kind(op: Operations) -> None:
    """Replace the index of scheduled work by one that begins with the kind: due work of some kinds
    is found without reading past all other.

    Pages keep room for the row as it is when it is leased, so that no index changes with it.
    """
    op.execute("CREATE INDEX work_due_by_kind ON work (kind, due_at) WHERE done_at IS NULL")
    op.execute("DROP INDEX work_due")
    op.execute("ALTER TABLE work SET (fillfactor = 75)")


def install_v2(op: Operations, runtime_role: str) -> None:
    """Create `service_now()`, and use it in all column defaults that read the database's clock."""
    op.execute(_SERVICE_NOW)
    op.execute(f'GRANT EXECUTE ON FUNCTION service_now() TO "{runtime_role}"')
    for table, column in op.get_bind().execute(_OWN_CLOCK).all():
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT service_now()")


_SERVICE_NOW = (
    "CREATE FUNCTION service_now() RETURNS timestamptz"  # tidy: the one that asks for all others
    " LANGUAGE sql VOLATILE PARALLEL SAFE AS $$ SELECT clock_timestamp()"
    " + coalesce(nullif(current_setting('app.clock_offset', true), ''), '0')::interval $$"
)
_OWN_CLOCK = text(
    "SELECT table_name, column_name FROM information_schema.columns"  # tidy: what is replaced
    " WHERE table_schema = current_schema() AND column_default LIKE '%clock_timestamp()%'"
)


def grant(op: Operations, table: str, privileges: str, runtime_role: str) -> None:
    """Grant SQL `privileges` on a table to the role that the service runs as."""
    op.execute(f'GRANT {privileges} ON {table} TO "{runtime_role}"')


def protect_rows(op: Operations, table: str, *, visible: str) -> None:
    """Create a row-level security policy: only rows that meet `visible` can be read or written.

    `visible` is an SQL condition on the row and on the transaction's scope (`transaction.Scope`),
    such as current_setting('app.name', true). Scopes of kind "system" see all rows. The policy
    applies to the table's owner too.
    """
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY {table}_scope ON {table} USING ({IS_SYSTEM} OR ({visible}))"
        f" WITH CHECK ({IS_SYSTEM} OR ({visible}))"
    )


def keep_from_desk(op: Operations, table: str, schema: str, *, sealed: str = "false") -> None:
    """Create a restrictive row-level security policy for the log-in `desk`, in addition to other
    policies.

    Under this policy, the log-in sees rows only in sessions of operators and services, and never a
    row that meets `sealed`, an SQL condition.
    """
    op.execute(
        f"CREATE POLICY {table}_at_desk ON {table} AS RESTRICTIVE USING"
        f" (current_user <> '{schema}_desk' OR (NOT ({sealed})"
        " AND current_setting('app.kind', true) IN ('operator', 'service')))"
    )


IS_SYSTEM = "current_setting('app.kind', true) = 'system'"


def _listed(setting: str) -> str:
    """The texts of a JSON array in the scope, evaluated once a statement; none if it is not set."""
    value = f"nullif(current_setting('app.{setting}', true), '')::jsonb"
    return f"ARRAY(SELECT jsonb_array_elements_text({value}))"


_ALL_REGIONS = "current_setting('app.regions', true) = '[\"*\"]'"
IN_REGION = f"({_ALL_REGIONS} OR region = ANY({_listed('regions')}))"
IS_PARTNER = (
    "(current_setting('app.kind', true) = 'partner'"
    " AND partner = current_setting('app.name', true))"
)
IS_OPERATOR = "current_setting('app.kind', true) = 'operator'"
IS_SERVICE = "current_setting('app.kind', true) = 'service'"


def has_role(role: str) -> str:
    """Return an SQL condition that is true in transactions of operators with this role."""
    return f"('{role}' = ANY({_listed('roles')}))"


def install_v3(op: Operations) -> None:
    """Change the schema's row-level security policies to read regions and roles as JSON arrays.

    The earlier policies split a text at commas instead.
    """
    for table, policy, using, check in op.get_bind().execute(_SPLITTING).all():
        clauses = {"USING": using, "WITH CHECK": check}
        changed = (f"{name} ({_unsplit(sql)})" for name, sql in clauses.items() if sql is not None)
        op.execute(f"ALTER POLICY {policy} ON {table} {' '.join(changed)}")


def _unsplit(condition: str) -> str:
    """A policy's condition as PostgreSQL prints it, with JSON arrays in place of splitting."""
    everywhere = "current_setting('app.regions'::text, true) = '*'::text"
    condition = condition.replace(everywhere, _ALL_REGIONS)
    return _SPLIT.sub(lambda split: _listed(split[1]), condition)


_SPLIT = re.compile(
    r"string_to_array\(current_setting\('app\.(regions|roles)'::text, true\), ','::text\)"
)
_SPLITTING = text(
    "SELECT quote_ident(tablename), quote_ident(policyname), qual, with_check FROM pg_policies"
    " WHERE schemaname = current_schema() AND concat(qual, with_check) LIKE '%string_to_array%'"
)
