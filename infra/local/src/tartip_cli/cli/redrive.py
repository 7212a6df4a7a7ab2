"""`tartip redrive`: lists dead letters (events a service failed to process) or republishes one.

The event is published again from the outbox of the service that produced it, with the same event
id. The service that failed has no record of this id in its inbox, so it processes the event;
services that have already processed the event have such a record and ignore it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import typer
from chassis.clock import system_clock

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.settings import read_settings
from tartip_cli.supervisor.lock import running_mesh
from tartip_cli.topology import SCHEMAS, SERVICES

_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """An event that one service failed to process and put aside, with the error."""

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


def register(app: App) -> None:
    app.command()(redrive)


def redrive(
    event_id: Annotated[
        str, typer.Argument(help="The event to publish again; without it, dead letters are listed.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the events that services failed to process, or publish one of them again.

    Remove the cause of the failure first. Outboxes keep an event for seven days.
    """
    url = _database_url()
    if event_id:
        letters = asyncio.run(_drive_again(url, event_id))
        if as_json:
            print_json({"redriven": event_id, "services": [letter.service for letter in letters]})
        else:
            names = ", ".join(letter.service for letter in letters)
            console.print(f"{event_id} is published again, for {names}.", highlight=False)
        return
    letters = asyncio.run(_listed(url))
    if as_json:
        print_json({"dead_letters": [letter.as_json() for letter in letters]})
    elif letters:
        for letter in letters:
            console.print(_line(letter), markup=False, highlight=False)
        console.print(hint("`tartip redrive EVENT_ID` publishes one again."), highlight=False)
    else:
        console.print("no dead letters")


async def dead_letters(
    connection: asyncpg.Connection, schemas: Sequence[str], event_id: str | None = None
) -> list[DeadLetter]:
    """Return the dead letters of these services' schemas, oldest first; with `event_id`, only those
    of this event. Schemas that are not migrated yet are left out."""
    found = []
    for schema in await _migrated(connection, schemas):
        rows = await connection.fetch(
            f"SELECT event_id, subject, error, died_at FROM {schema}.dead_letters"
            " WHERE $1::text IS NULL OR event_id = $1",
            event_id,
        )
        found += [DeadLetter(schema=schema, **dict(row)) for row in rows]
    return sorted(found, key=lambda letter: letter.died_at)


async def drive_again(
    connection: asyncpg.Connection, schemas: Sequence[str], event_id: str
) -> list[DeadLetter]:
    """Mark an event in its producer's outbox as unpublished, and delete and return the dead letters
    of this event, in one transaction. Raises Failure if the event has no dead letters, or if no
    outbox has the event any more."""
    async with connection.transaction():
        letters = await dead_letters(connection, schemas, event_id)
        if not letters:
            raise Failure(f"no dead letter {event_id}; `tartip redrive` lists them", Exit.NOT_FOUND)
        if not await _publish_again(connection, schemas, event_id):
            raise Failure(
                f"{event_id} is in no outbox any more: events are kept there for seven days; "
                "its effect must be brought about by hand",
                Exit.NOT_FOUND,
            )
        for letter in letters:
            await _remove(connection, letter)
    return letters


async def _publish_again(
    connection: asyncpg.Connection, schemas: Sequence[str], event_id: str
) -> bool:
    try:
        wanted = UUID(event_id)
    except ValueError:  # it came without an id: it belongs to no producer
        return False
    for schema in await _migrated(connection, schemas):
        outcome = await connection.execute(
            f"UPDATE {schema}.outbox SET published_at = NULL, redriven = redriven + 1"
            " WHERE event_id = $1",
            wanted,
        )
        if outcome != "UPDATE 0":
            return True
    return False


async def _remove(connection: asyncpg.Connection, letter: DeadLetter) -> None:
    """Delete a dead letter and have the service destroy its key, which encrypts nothing else."""
    key_id = await connection.fetchval(
        f"DELETE FROM {letter.schema}.dead_letters WHERE event_id = $1 RETURNING key_id",
        letter.event_id,
    )
    await connection.execute(
        f"INSERT INTO {letter.schema}.work (kind, key, due_at, traceparent, story)"
        " VALUES ('destroy_key', $1, $2, '', '') ON CONFLICT DO NOTHING",
        str(key_id),
        system_clock(),
    )


async def _migrated(connection: asyncpg.Connection, schemas: Sequence[str]) -> list[str]:
    known = await connection.fetch(
        "SELECT schemaname FROM pg_tables WHERE tablename = 'dead_letters'"
        " AND schemaname = ANY($1::text[])",
        list(schemas),
    )
    return [row["schemaname"] for row in known]


async def _listed(url: str) -> list[DeadLetter]:
    connection = await _connected(url)
    try:
        return await dead_letters(connection, SCHEMAS)
    finally:
        await connection.close(timeout=5)


async def _drive_again(url: str, event_id: str) -> list[DeadLetter]:
    connection = await _connected(url)
    try:
        return await drive_again(connection, SCHEMAS, event_id)
    finally:
        await connection.close(timeout=5)


async def _connected(url: str) -> Any:
    try:
        return await asyncpg.connect(url, timeout=_SECONDS, command_timeout=_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Failure(
            f"the database does not answer ({type(error).__name__}): see `tartip status`",
            Exit.NOT_RUNNING,
        ) from error


def _database_url() -> str:
    settings = read_settings()
    if settings.database_url is None:
        running = running_mesh(DataDir(settings.home))
        if running is None:
            raise Failure(
                f"no mesh runs from {settings.home}: start it with `tartip up` (or `make run`)",
                Exit.NOT_RUNNING,
            )
        running.share_clock()
        settings = replace(settings, port_base=running.port_base)
    return Mesh.build(settings).database.url


def _line(letter: DeadLetter) -> str:
    """A dead letter in two lines; the id is not wrapped, so that it can be copied."""
    died = f"{letter.died_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{letter.event_id}  {died}\n  {letter.service}: {letter.subject}, {letter.error}"
