"""Rows of the table `work`: durable jobs, written by transactions and run by `host.scheduler`."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from vault import row_codes
from vault.keyring import Keyring

from chassis import tables
from chassis.telemetry import current_story, traceparent

# The kind of work that puts the id of a destroyed data key on the list of erasures.
LIST_ERASURE = "list_erasure"


def row_of(keyring: Keyring, kind: str, key: str, due_at: datetime) -> dict[str, Any]:
    """Return the row of `tables.work` for a job; the handler of `kind` is called with `key`."""
    return {
        "kind": kind,
        "key": key,
        "due_at": due_at,
        "traceparent": traceparent(),
        "story": current_story(),
        "mac": row_codes.of_work(keyring, kind, key, due_at, done=False),
    }


async def reschedule(connection: AsyncConnection, row: dict[str, Any]) -> None:
    """Add a row made by `row_of`. If the job exists already, move it to the row's moment; a job
    that is finished is then done again."""
    again = {
        "due_at": row["due_at"],
        "mac": row["mac"],
        "attempts": 0,
        "leased_until": None,
        "last_error": None,
        "done_at": None,
    }
    await connection.execute(
        insert(tables.work)
        .values(**row)
        .on_conflict_do_update(index_elements=["kind", "key"], set_=again)
    )
