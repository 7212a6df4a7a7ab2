"""The tables that the schema of every service has, installed by versioned functions.

A service's Alembic history calls `install_v1(op, runtime_role)` once; a later change of these
tables is `install_v2` and so on. Grants enforce the rules: audit rows can be added and read, never
changed.

All SQL takes the time from `service_now()` (in SQLAlchemy `service_now`): the database's clock plus
the offset of the clock of the process that asks (see `clock`).
"""

import re
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from vault import data_keys as vault_keys

from chassis.clock import clock_offset

metadata = MetaData()
_moment = DateTime(timezone=True)
service_now: Any = func.service_now(type_=_moment)
# As the first version made them; `install_v2` lets them follow the moved clock.
_at_first = text("clock_timestamp()")  # tidy: of the first version

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger, Identity(), primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("subject", Text, nullable=False),
    Column("aggregate", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("region", Text, nullable=False),
    Column("story", Text, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("sealed", Boolean, nullable=False, server_default=text("false")),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", _moment, nullable=False, server_default=_at_first),
    Column("published_at", _moment),
    # How often somebody drove it again after it had died at a consumer (`tartip redrive`).
    Column("redriven", Integer, nullable=False, server_default=text("0")),
)

outbox_streams = Table(
    "outbox_streams",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("made_at", Text, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("consumed_at", _moment, nullable=False, server_default=_at_first),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("headers", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("died_at", _moment, nullable=False, server_default=_at_first),
)

requests = Table(
    "requests",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("request_id", Uuid, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("made_at", _moment, nullable=False, server_default=_at_first),
)

work = Table(
    "work",
    metadata,
    Column("work_id", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("due_at", _moment, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("leased_until", _moment),
    Column("traceparent", Text, nullable=False),
    Column("story", Text, nullable=False),
    Column("last_error", Text),
    Column("done_at", _moment),
    UniqueConstraint("kind", "key"),
)

audit = Table(
    "audit",
    metadata,
    Column("position", BigInteger, Identity(), primary_key=True),
    Column("entry_id", Uuid, nullable=False, unique=True),
    Column("canonical", LargeBinary, nullable=False),
)

audit_pending = Table(
    "audit_pending",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
)

audit_leaves = Table(
    "audit_leaves",
    metadata,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", Uuid, nullable=False, unique=True),
    Column("leaf_hash", LargeBinary, nullable=False),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("sealed_at", _moment, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
)

data_keys = vault_keys.data_keys.to_metadata(metadata)

_GRANTS = {
    outbox: "SELECT, INSERT, UPDATE (published_at), DELETE",
    outbox_streams: "SELECT, INSERT, UPDATE",
    inbox: "SELECT, INSERT, DELETE",
    dead_letters: "SELECT, INSERT, UPDATE",
    requests: "SELECT, INSERT",
    work: "SELECT, INSERT, UPDATE",
    audit: "SELECT, INSERT",
    audit_pending: "SELECT, INSERT, DELETE",
    audit_leaves: "SELECT, INSERT",
    audit_heads: "SELECT, INSERT",
    data_keys: "SELECT, INSERT, UPDATE (wrapped, destroyed_at)",
}


class Operations(Protocol):
    """The Alembic operations used here, which both its module `op` and its class provide."""

    def execute(self, sqltext: str) -> None: ...

    def get_bind(self) -> Connection: ...


def install_v1(op: Operations, runtime_role: str) -> None:
    """Create the tables in the migration's schema and grant privileges to the runtime role."""
    metadata.create_all(op.get_bind())
    op.execute("CREATE INDEX outbox_unpublished ON outbox (position) WHERE published_at IS NULL")
    op.execute("CREATE INDEX outbox_created ON outbox (created_at)")
    op.execute("CREATE INDEX work_due ON work (due_at) WHERE done_at IS NULL")
    for table, privileges in _GRANTS.items():
        grant(op, table.name, privileges, runtime_role)


def index_attempts(op: Operations) -> None:
    """Create the index that `ListAttempts` reads, in schemas that record refused attempts."""
    op.execute(f"CREATE INDEX audit_attempts ON audit (position) WHERE {IS_ATTEMPT}")


def install_v2(op: Operations, runtime_role: str) -> None:
    """Create `service_now()` and use it in all defaults that read the database's clock."""
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


def session_settings(application: str) -> dict[str, str]:
    """The settings of a new database session, with the offset that `service_now()` adds.

    The server ends a session, and frees its locks, when its client has not answered for 20 s.
    """
    settings = {
        "application_name": application,
        "standard_conforming_strings": "on",
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "3",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "20000",
    }
    if offset := clock_offset():
        settings["app.clock_offset"] = f"{offset.total_seconds()} seconds"
    return settings


def grant(op: Operations, table: str, privileges: str, runtime_role: str) -> None:
    """Grant SQL `privileges` on a table to the role that the service runs as."""
    op.execute(f'GRANT {privileges} ON {table} TO "{runtime_role}"')


def protect_rows(op: Operations, table: str, *, visible: str) -> None:
    """Show only rows that meet the SQL condition `visible`, and all rows to the system.

    Row-level security does this. Conditions read the transaction's scope (`transaction.Scope`),
    such as current_setting('app.name', true). FORCE applies the policy to the owner too.
    """
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY {table}_scope ON {table} USING ({IS_SYSTEM} OR ({visible}))"
        f" WITH CHECK ({IS_SYSTEM} OR ({visible}))"
    )


# How the canonical form of an attempt begins: its names stand in order.
_ATTEMPT = '{"action":"open_refused",'
IS_ATTEMPT = f"substring(canonical FROM 1 FOR {len(_ATTEMPT)}) = '{_ATTEMPT}'::bytea"
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
    """The SQL condition that holds in transactions of operators with this role."""
    return f"('{role}' = ANY({_listed('roles')}))"


def install_v3(op: Operations) -> None:
    """Have the schema's policies read regions and roles as JSON arrays, not split at commas."""
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
