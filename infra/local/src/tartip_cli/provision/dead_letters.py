"""Lists, republishes and dismisses the dead letters of all services in the database. A dead letter
is an event that a service failed to process.

A decision about a dead letter is written to the audit log of the service that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from chassis.audit_entry import AuditEntry
from chassis.clock import new_id, system_clock
from host.key_destruction import DISCARD_KEY
from vault import row_codes
from vault.keyring import Keyring

from tartip_cli.failures import Exit, Failure
from tartip_cli.topology import COMMAND_LINE, SERVICES

if TYPE_CHECKING:
    import asyncpg


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """An event that a service failed to process, with the error. The service will not try again by
    itself."""

    schema: str
    event_id: str
    subject: str
    error: str
    died_at: datetime

    @property
    def service(self) -> str:
        return next((s.name for s in SERVICES if s.schema == self.schema), self.schema)

    def as_json(self) -> dict[str, str]:
        return {
            "service": self.service,
            "event_id": self.event_id,
            "subject": self.subject,
            "error": self.error,
            "died_at": self.died_at.astimezone(UTC).isoformat(),
        }


@dataclass(frozen=True, kw_only=True)
class Dismissed(DeadLetter):
    """A dead letter whose event will not be processed, with the person who dismissed it and the
    reason."""

    dismissed_at: datetime
    dismissed_by: str
    reason: str

    def as_json(self) -> dict[str, str]:
        return {
            **super().as_json(),
            "dismissed_at": self.dismissed_at.astimezone(UTC).isoformat(),
            "dismissed_by": self.dismissed_by,
            "reason": self.reason,
        }


async def dead_letters(
    connection: asyncpg.Connection, schemas: Sequence[str], event_id: str | None = None
) -> list[DeadLetter]:
    """Return the dead letters in these schemas of services, oldest first. With `event_id`, only the
    dead letters of this event are returned. Schemas that are not migrated yet are left out."""
    found = []
    for schema in await _with_table(connection, schemas, "dead_letters"):
        rows = await connection.fetch(
            f"SELECT event_id, subject, error, died_at FROM {schema}.dead_letters"
            " WHERE $1::text IS NULL OR event_id = $1",
            event_id,
        )
        found += [DeadLetter(schema=schema, **dict(row)) for row in rows]
    return sorted(found, key=lambda letter: letter.died_at)


async def dismissed_letters(
    connection: asyncpg.Connection, schemas: Sequence[str], event_id: str | None = None
) -> list[Dismissed]:
    """Return the dismissed dead letters in these schemas of services, the earliest dismissal first.
    With `event_id`, only those of this event are returned. Schemas that are not migrated yet are
    left out."""
    found = []
    for schema in await _with_table(connection, schemas, "dismissed_letters"):
        rows = await connection.fetch(
            "SELECT event_id, subject, error, died_at, dismissed_at, dismissed_by, reason"
            f" FROM {schema}.dismissed_letters WHERE $1::text IS NULL OR event_id = $1",
            event_id,
        )
        found += [Dismissed(schema=schema, **dict(row)) for row in rows]
    return sorted(found, key=lambda letter: letter.dismissed_at)


async def drive_again(
    connection: asyncpg.Connection, schemas: Sequence[str], event_id: str, *, keys: Path, by: str
) -> list[DeadLetter]:
    """Have an event published again, and return its dead letters, which are deleted.

    In one transaction, the event is marked as unpublished in its producer's outbox, and all its
    dead letters are deleted, including dismissed ones. `keys` has a folder of keys for each
    service; `by` is the person who decided this, for the audit log. Raises Failure if the event has
    no dead letter, or if no outbox has the event any more.
    """
    async with connection.transaction():
        dead = await dead_letters(connection, schemas, event_id)
        dismissed = await dismissed_letters(connection, schemas, event_id)
        letters = [*dead, *dismissed]
        if not letters:
            raise _no_letter(event_id)
        if not await _publish_again(connection, schemas, event_id):
            raise Failure(
                f"{event_id} is in no outbox any more: events are kept there for seven days; "
                "its effect must be brought about by hand",
                Exit.NOT_FOUND,
            )
        for letter in letters:
            await _remove(connection, letter, keys)
            await _audit(connection, letter, "redrive_dead_letter", by=by)
    return letters


async def dismiss(
    connection: asyncpg.Connection,
    schemas: Sequence[str],
    event_id: str,
    *,
    keys: Path,
    by: str,
    reason: str,
) -> list[DeadLetter]:
    """Dismiss the dead letters of an event in one transaction, and return these letters. Each is
    kept with the reason and the person who decided (`by`), but without the content of the event.
    `keys` has a folder of keys for each service. Raises Failure if the event has no dead letter."""
    async with connection.transaction():
        letters = await dead_letters(connection, schemas, event_id)
        if not letters:
            raise _no_letter(event_id)
        for letter in letters:
            await _remove(connection, letter, keys)
            await connection.execute(
                f"INSERT INTO {letter.schema}.dismissed_letters (event_id, subject, error, died_at,"
                " dismissed_at, dismissed_by, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                " ON CONFLICT (event_id) DO UPDATE SET error = excluded.error,"
                " died_at = excluded.died_at, dismissed_at = excluded.dismissed_at,"
                " dismissed_by = excluded.dismissed_by, reason = excluded.reason",
                *(letter.event_id, letter.subject, letter.error, letter.died_at),
                *(system_clock(), by, reason),
            )
            await _audit(connection, letter, "dismiss_dead_letter", by=by, reason=reason)
    return letters


def _no_letter(event_id: str) -> Failure:
    return Failure(f"no dead letter {event_id}; `tartip redrive` lists them", Exit.NOT_FOUND)


async def _publish_again(
    connection: asyncpg.Connection, schemas: Sequence[str], event_id: str
) -> bool:
    try:
        wanted = UUID(event_id)
    except ValueError:  # it came without an id: it belongs to no producer
        return False
    for schema in await _with_table(connection, schemas, "outbox"):
        outcome = await connection.execute(
            f"UPDATE {schema}.outbox SET published_at = NULL, redriven = redriven + 1"
            " WHERE event_id = $1",
            wanted,
        )
        if outcome != "UPDATE 0":
            return True
    return False


async def _remove(connection: asyncpg.Connection, letter: DeadLetter, keys: Path) -> None:
    """Delete a dead letter and have the service destroy its encryption key, which encrypts nothing
    else; of a dismissed one only the row is left.

    The order to destroy the key bears the service's code: without one, `tartip verify` would take
    it for somebody else's.
    """
    if isinstance(letter, Dismissed):
        await connection.execute(
            f"DELETE FROM {letter.schema}.dismissed_letters WHERE event_id = $1", letter.event_id
        )
        return
    key_id = await connection.fetchval(
        f"DELETE FROM {letter.schema}.dead_letters WHERE event_id = $1 RETURNING key_id",
        letter.event_id,
    )
    now = system_clock()
    keyring = Keyring(keys / letter.service)
    await connection.execute(
        f"INSERT INTO {letter.schema}.work (kind, key, due_at, traceparent, story, mac)"
        " VALUES ($1, $2, $3, '', '', $4) ON CONFLICT DO NOTHING",
        *(DISCARD_KEY, str(key_id), now),
        row_codes.of_work(keyring, DISCARD_KEY, str(key_id), now, done=False),
    )


async def _audit(
    connection: asyncpg.Connection, letter: DeadLetter, action: str, *, by: str, reason: str = ""
) -> None:
    """Write an audit entry of the failed service, which its sealer seals like all others."""
    entry = AuditEntry(
        new_id(),
        system_clock(),
        action,
        f"event:{letter.event_id}",
        actor=f"service/{COMMAND_LINE}",
        purpose=reason,
        facts={"by": by, "subject": letter.subject},
    )
    await connection.execute(
        f"INSERT INTO {letter.schema}.audit (entry_id, canonical) VALUES ($1, $2)",
        entry.entry_id,
        entry.canonical(),
    )
    await connection.execute(
        f"INSERT INTO {letter.schema}.audit_pending (entry_id) VALUES ($1)", entry.entry_id
    )


async def _with_table(
    connection: asyncpg.Connection, schemas: Sequence[str], table: str
) -> list[str]:
    known = await connection.fetch(
        "SELECT schemaname FROM pg_tables WHERE tablename = $1 AND schemaname = ANY($2::text[])",
        table,
        list(schemas),
    )
    return [row["schemaname"] for row in known]
