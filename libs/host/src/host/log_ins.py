"""The rights that each log-in of a service has in its schema, column by column.

A service has three log-ins (`host.databases`): for calls, for background work and for sealing. None
may change or delete an audit entry, a leaf or head (signed root) of the sealed audit log, or a
request id. No log-in may cover up what another one did. The owner role is for migrations alone.

`install_v4` and `install_v5` grant the rights on the tables that all services have (COMMON_TABLES).
On a service's own tables, migrations grant rights to the log-in for calls. After every migration,
`share_grants` grants these rights to the log-in for work too. The log-in for sealing has none.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from host.schema import Operations


@dataclass(frozen=True)
class LogIns:
    """The names of the database roles with which a service logs in: for calls, work and sealing."""

    calls: str
    work: str
    seal: str

    @classmethod
    def of(cls, schema: str) -> "LogIns":
        return cls(f"{schema}_runtime", f"{schema}_work", f"{schema}_seal")


_EVENT = (
    "event_id, subject, aggregate, version, region, story, traceparent, sealed, payload,"
    " audit_entries"
)
_ADDS_ENTRIES = {
    "audit": "SELECT, INSERT (entry_id, canonical)",
    "audit_pending": "SELECT, INSERT (entry_id)",
    "audit_leaves": "SELECT",
    "audit_nodes": "SELECT",
    "audit_heads": "SELECT",
    "requests": "SELECT, INSERT (caller, request_id, fingerprint)",
}
_CALLS = {
    **_ADDS_ENTRIES,
    "outbox": f"SELECT, INSERT ({_EVENT})",
    # Moves what is due to another moment; the policy `work_of_calls` says how.
    "work": "SELECT, INSERT (kind, key, due_at, traceparent, story),"
    " UPDATE (due_at, attempts, leased_until, last_error, done_at)",
    "data_keys": "SELECT, INSERT (key_id, key_class, person, wrapped)",
}
_WORK = {
    **_ADDS_ENTRIES,
    "outbox": f"SELECT, INSERT ({_EVENT}), UPDATE (published_at, stream_sequence), DELETE",
    "outbox_streams": "SELECT, INSERT, UPDATE (made_at)",
    "inbox": "SELECT, INSERT (event_id, subject), DELETE",
    "dead_letters": "SELECT, INSERT (event_id, subject, key_id, payload, headers, error)",
    "work": _CALLS["work"],
    "data_keys": f"{_CALLS['data_keys']}, UPDATE (wrapped, destroyed_at, destroyed_by)",
    "leases": "SELECT, INSERT, UPDATE",
}
_SEAL = {
    "audit": "SELECT",
    "audit_pending": "SELECT, DELETE",
    "audit_leaves": "SELECT, INSERT",
    "audit_nodes": "SELECT, INSERT",
    "audit_heads": "SELECT, INSERT",
    "leases": "SELECT, INSERT, UPDATE",
}
COMMON_TABLES = tuple(sorted({*_CALLS, *_WORK, *_SEAL}))
# Tables to which rows are added alone, whoever asks.
_NEVER_CHANGED = ("audit", "audit_leaves", "audit_nodes", "audit_heads", "requests")


def install_v4(op: Operations, schema: str) -> None:
    """Grant each log-in its rights on the tables that all services have; the roles must exist.

    Row-level security of these tables binds neither superusers nor the tables' owner. A trigger
    keeps even superusers from changing the rows of the audit log and the request ids. The owner
    could drop this trigger.
    """
    for statement in _COLUMNS:
        op.execute(statement)
    roles = LogIns.of(schema)
    everybody = f'"{roles.calls}", "{roles.work}", "{roles.seal}"'
    for table in COMMON_TABLES:
        op.execute(f"REVOKE ALL ON {table} FROM {everybody}")
    for role, rights in ((roles.calls, _CALLS), (roles.work, _WORK), (roles.seal, _SEAL)):
        for table, privileges in rights.items():
            op.execute(f'GRANT {privileges} ON {table} TO "{role}"')
    op.execute(f"GRANT EXECUTE ON FUNCTION service_now() TO {everybody}")
    for table, policies in _policies(roles).items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        for name, rule in policies.items():
            op.execute(f"CREATE POLICY {name} ON {table} {rule}")
    op.execute(_REFUSE_CHANGE)
    for table in _NEVER_CHANGED:
        op.execute(
            f"CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " EXECUTE FUNCTION refuse_change()"
        )


# In the place of an audit entry, for keys that were destroyed before there was one.
BEFORE = UUID(int=0)
# A new schema has these columns from the first version on.
_COLUMNS = (
    "ALTER TABLE outbox ADD COLUMN IF NOT EXISTS audit_entries text NOT NULL DEFAULT ''",
    "ALTER TABLE outbox ADD COLUMN IF NOT EXISTS stream_sequence bigint",
    "UPDATE outbox SET stream_sequence = 0 WHERE published_at IS NOT NULL",
    "ALTER TABLE data_keys ADD COLUMN IF NOT EXISTS destroyed_by uuid",
    f"UPDATE data_keys SET destroyed_by = '{BEFORE}' WHERE wrapped IS NULL",
)


def install_v5(op: Operations, schema: str) -> None:
    """Add the codes by which a service recognises its own rows of `work`, `inbox` and `outbox`.

    Rows that exist already need no code: the column `needs_mac`, which no log-in may write, is
    false for them. For existing work that is not done, `due_before_mac` has the moment at which it
    was due. Processes of the release before write rows without a code; `tartip verify` names these
    rows (docs/releasing.md).
    """
    for statement in _PROOFS:
        op.execute(statement)
    roles = LogIns.of(schema)
    for role in (roles.calls, roles.work):
        op.execute(f'GRANT INSERT (mac), UPDATE (mac) ON work TO "{role}"')
    op.execute(f'GRANT INSERT (mac) ON inbox TO "{roles.work}"')
    op.execute(f'GRANT UPDATE (mac) ON outbox TO "{roles.work}"')
    op.execute(f'GRANT SELECT ON inbox TO "{roles.calls}"')


_PROOFS = (
    *(
        f"ALTER TABLE {table} {change}"
        for table in ("work", "inbox", "outbox")
        for change in (
            "ADD COLUMN IF NOT EXISTS mac bytea",
            "ADD COLUMN IF NOT EXISTS needs_mac boolean NOT NULL DEFAULT false",
            "ALTER COLUMN needs_mac SET DEFAULT true",
        )
    ),
    "ALTER TABLE work ADD COLUMN IF NOT EXISTS due_before_mac timestamptz",
    "UPDATE work SET due_before_mac = due_at WHERE done_at IS NULL",
)


def _policies(roles: LogIns) -> dict[str, dict[str, str]]:
    """Rules on rows, for rights that a column alone cannot limit; by table and name."""
    calls, work, seal = roles.calls, roles.work, roles.seal
    both = f'"{calls}", "{work}"'
    return {
        # A call schedules anew; it neither ends work, nor holds it, nor hides that it failed.
        "work": {
            "work_of_calls": f'TO "{calls}" USING (true) WITH CHECK'
            " (done_at IS NULL AND leased_until IS NULL AND attempts = 0)",
            "work_of_work": f'TO "{work}" USING (true)',
        },
        # A key is destroyed once, and never put in the place of another.
        "data_keys": {
            "keys_read": f"FOR SELECT TO {both} USING (true)",
            "keys_made": f"FOR INSERT TO {both} WITH CHECK"
            " (wrapped IS NOT NULL AND destroyed_at IS NULL)",
            "keys_destroyed": f'FOR UPDATE TO "{work}" USING (wrapped IS NOT NULL) WITH CHECK'
            " (wrapped IS NULL AND destroyed_at IS NOT NULL"
            f" AND destroyed_by IS DISTINCT FROM '{BEFORE}')",
        },
        # An event is kept for a week after it was published, to be compared and published again.
        "outbox": {
            "events_read": f"FOR SELECT TO {both} USING (true)",
            "events_made": f"FOR INSERT TO {both} WITH CHECK (published_at IS NULL)",
            "events_published": f'FOR UPDATE TO "{work}" USING (true) WITH CHECK'
            " (published_at IS NULL OR stream_sequence > 0)",
            "events_forgotten": f'FOR DELETE TO "{work}" USING (published_at IS NOT NULL'
            " AND created_at < (SELECT service_now()) - interval '7 days')",
        },
        # An entry ceases to wait when it has its leaf.
        "audit_pending": {
            "entries_waiting": f'FOR SELECT TO {both}, "{seal}" USING (true)',
            "entries_added": f"FOR INSERT TO {both} WITH CHECK (true)",
            "entries_sealed": f'FOR DELETE TO "{seal}" USING (EXISTS (SELECT FROM audit_leaves'
            " WHERE audit_leaves.entry_id = audit_pending.entry_id))",
        },
    }


_REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RAISE EXCEPTION '% of % is refused: what is recorded there is never changed',
            TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$
"""


def share_grants(op: Operations, schema: str) -> None:
    """Grant the log-in for work the rights of the log-in for calls on the service's own tables,
    sequences and functions. Run it after each migration, which may have added such objects."""
    roles = LogIns.of(schema)
    named = {"calls": roles.calls, "work": roles.work, "common": list(COMMON_TABLES)}
    for statement in op.get_bind().execute(_SHARED, named).scalars().all():
        op.execute(statement)


_SHARED = text(
    """
SELECT format('GRANT %s ON %s %s TO %I', rights.privilege_type,
    CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, pg_class.oid::regclass,
    CAST(:work AS text))
FROM pg_class, aclexplode(relacl) AS rights
WHERE relnamespace = current_schema()::regnamespace AND relname <> ALL (CAST(:common AS text[]))
    AND rights.grantee = CAST(CAST(:calls AS text) AS regrole)
UNION ALL
SELECT format('GRANT %s (%I) ON %s TO %I', rights.privilege_type, attname, pg_class.oid::regclass,
    CAST(:work AS text))
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid, aclexplode(attacl) AS rights
WHERE relnamespace = current_schema()::regnamespace AND relname <> ALL (CAST(:common AS text[]))
    AND rights.grantee = CAST(CAST(:calls AS text) AS regrole)
UNION ALL
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', pg_proc.oid::regprocedure, CAST(:work AS text))
FROM pg_proc, aclexplode(proacl) AS rights
WHERE pronamespace = current_schema()::regnamespace
    AND rights.grantee = CAST(CAST(:calls AS text) AS regrole)
"""
)
