"""The tables that the schema of every service has; `host.schema` installs them.

All SQL takes the time from the function `service_now()` (in SQLAlchemy `service_now`): the
database's clock plus the clock offset of the process that queries (see `clock`).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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


def _code() -> tuple[Column[bytes | None], Column[bool]]:
    """The columns by which a row shows that the service itself wrote it (`vault.row_codes`)."""
    return (
        Column("mac", LargeBinary),
        # False in rows that are older than these columns.
        Column("needs_mac", Boolean, nullable=False, server_default=text("true")),
    )


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
    # The number of its message in the stream, as the broker acknowledged it.
    Column("stream_sequence", BigInteger),
    # The ids of the audit entries that were written with it, separated by spaces.
    Column("audit_entries", Text, nullable=False, server_default=text("''")),
    # How often somebody drove it again after it had died at a consumer (`tartip redrive`).
    Column("redriven", Integer, nullable=False, server_default=text("0")),
    *_code(),
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
    *_code(),
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
    *_code(),
    # When the work was due as the column `mac` was added; only in rows not done by then.
    Column("due_before_mac", _moment),
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


def session_settings(application: str) -> dict[str, str]:
    """Return the PostgreSQL settings, by name, for a new session of the client `application`.

    They include this process's clock offset, and end the session if its client is cut off for 20 s.
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


# How the canonical form of an attempt begins: its names stand in order.
_ATTEMPT = '{"action":"open_refused",'
IS_ATTEMPT = f"substring(canonical FROM 1 FOR {len(_ATTEMPT)}) = '{_ATTEMPT}'::bytea"
