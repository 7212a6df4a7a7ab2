"""`tartip redrive`: lists dead letters (events that a service failed to process), republishes one,
or dismisses one with a reason.

The producer of the event publishes it again from its outbox, with the same event id. A service that
has processed the event has this id in its inbox and ignores the event. The service that failed does
not have the id, so it processes the event.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.provision.dead_letters import (
    DeadLetter,
    Dismissed,
    dead_letters,
    dismiss,
    dismissed_letters,
    drive_again,
)
from tartip_cli.settings import read_settings
from tartip_cli.supervisor.lock import running_mesh
from tartip_cli.topology import SCHEMAS

_SECONDS = 10.0
_REASON_MAX = 500


def register(app: App) -> None:
    app.command()(redrive)


def redrive(
    event_id: Annotated[
        str, typer.Argument(help="The event to publish again; without it, dead letters are listed.")
    ] = "",
    dismissed: Annotated[
        str,
        typer.Option("--dismiss", metavar="EVENT_ID", help="Do not have this event processed."),
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", help="Why it is dismissed; goes into the audit log.")
    ] = "",
    by: Annotated[
        str, typer.Option("--by", help="Who decides; by default the user of this machine.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the events that services failed to process (dead letters). Or publish one of them again,
    or dismiss one.

    Remove the cause of the failure before you publish an event again. An event stays in the outbox
    of the service that produced it for seven days. Until then, even a dismissed event can be
    published again.
    """
    if event_id and dismissed:
        raise Failure("either EVENT_ID or --dismiss EVENT_ID, not both", Exit.USAGE)
    if dismissed:
        reason = _checked(reason)
    elif reason:
        raise Failure("--reason is for --dismiss alone", Exit.USAGE)
    who, url = by or os.environ.get("SUDO_USER") or getpass.getuser(), _database_url()
    if event_id:
        _report("redriven", event_id, asyncio.run(_drive_again(url, event_id, who)), as_json)
    elif dismissed:
        letters = asyncio.run(_dismiss(url, dismissed, who, reason))
        _report("dismissed", dismissed, letters, as_json)
    else:
        _list(*asyncio.run(_listed(url)), as_json=as_json)


def _checked(reason: str) -> str:
    if not reason.strip() or len(reason) > _REASON_MAX or not reason.isprintable():
        raise Failure(
            f"--dismiss needs --reason: why, in one line of at most {_REASON_MAX} characters",
            Exit.USAGE,
        )
    return reason.strip()


def _report(what: str, event_id: str, letters: list[DeadLetter], as_json: bool) -> None:
    services = [letter.service for letter in letters]
    if as_json:
        print_json({what: event_id, "services": services})
        return
    done = "published again" if what == "redriven" else what
    console.print(f"{event_id} is {done}, for {', '.join(services)}.", highlight=False)


def _list(letters: list[DeadLetter], gone: list[Dismissed], *, as_json: bool) -> None:
    if as_json:
        dead = [letter.as_json() for letter in letters]
        print_json({"dead_letters": dead, "dismissed": [letter.as_json() for letter in gone]})
        return
    for letter in letters:
        console.print(_line(letter), markup=False, highlight=False)
    if letters:
        console.print(
            hint("`tartip redrive EVENT_ID` publishes one again; --dismiss EVENT_ID dismisses it."),
            highlight=False,
        )
    else:
        console.print("no dead letters")
    if gone:
        console.print("\ndismissed:")
    for one in gone:
        console.print(_line(one), markup=False, highlight=False)
        by = f"  {_moment(one.dismissed_at)}, {one.dismissed_by}: {one.reason}"
        console.print(by, markup=False, highlight=False)


async def _listed(url: str) -> tuple[list[DeadLetter], list[Dismissed]]:
    async with _connected(url) as connection:
        return await dead_letters(connection, SCHEMAS), await dismissed_letters(connection, SCHEMAS)


async def _drive_again(url: str, event_id: str, by: str) -> list[DeadLetter]:
    async with _connected(url) as connection:
        return await drive_again(connection, SCHEMAS, event_id, keys=_keys(), by=by)


async def _dismiss(url: str, event_id: str, by: str, reason: str) -> list[DeadLetter]:
    async with _connected(url) as connection:
        return await dismiss(connection, SCHEMAS, event_id, keys=_keys(), by=by, reason=reason)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    try:
        connection = await asyncpg.connect(url, timeout=_SECONDS, command_timeout=_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Failure(
            f"the database does not answer ({type(error).__name__}): see `tartip status`",
            Exit.NOT_RUNNING,
        ) from error
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def _keys() -> Path:
    """The folder that has a folder of keys for each service."""
    return DataDir(read_settings().home).keys


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
    died = _moment(letter.died_at)
    return f"{letter.event_id}  {died}\n  {letter.service}: {letter.subject}, {letter.error}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
