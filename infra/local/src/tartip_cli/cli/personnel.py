"""`tartip personnel`: units, officers and postings, which decide who may see a complaint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Column, Table

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings

if TYPE_CHECKING:
    from tartip.reports.v1 import personnel_pb2 as pb

_ID_WIDTH = 36


def register(app: App) -> None:
    group = typer.Typer(
        help="Units, officers and postings: they decide who may see a complaint.",
        no_args_is_help=True,
    )
    group.command(name="list")(list_officers)
    group.command(name="import")(import_officers)
    for command in (units, end_posting):
        group.command()(command)
    app.add_typer(group, name="personnel")


def units(as_json: AsJson = False) -> None:
    """List the units of the police."""
    found = asyncio.run(_units())
    if as_json:
        print_json({"units": [_shape(unit) for unit in found]})
        return
    table = Table(Column("unit", no_wrap=True), "kind", "above it", "name")
    for unit in found:
        kind = str(_shape(unit)["kind"]).removeprefix("UNIT_KIND_").lower().replace("_", " ")
        table.add_row(unit.unit, kind, unit.parent, unit.name_ru)
    console.print(table)


def list_officers(
    unit: Annotated[str, typer.Option(help="Only those who serve or served there.")] = "",
    as_json: AsJson = False,
) -> None:
    """List officers with their postings. The access is recorded in the audit log."""
    found = asyncio.run(_officers(unit))
    if as_json:
        print_json({"officers": [_shape(officer) for officer in found]})
    elif found:
        console.print(_table(found))
    else:
        console.print(hint("No officer: `tartip personnel import FILE` adds those of a file."))


def import_officers(
    file: Annotated[Path, typer.Argument(help="A CSV file; its columns stand in the guide.")],
    as_json: AsJson = False,
) -> None:
    """Add or change the officers of a CSV file, and add their postings.

    The columns are log_in, badge, family_kk, given_kk, family_ru, given_ru, unit and since (a
    date). A file that was sent in part can be sent again.
    """
    from tartip_cli.clients.personnel import read_lines, send

    lines = read_lines(file)

    async def run() -> Any:
        async with _stub() as stub:
            with Progress(console=console, disable=as_json) as progress:
                task = progress.add_task("officers", total=len(lines))
                return await send(stub, lines, lambda done: progress.update(task, completed=done))

    sent = asyncio.run(run())
    if as_json:
        print_json(vars(sent))
    else:
        console.print(f"{sent.added} added, {sent.changed} changed, {sent.posted} posted")


def end_posting(
    posting_id: Annotated[str, typer.Argument(help="As `tartip personnel list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """End a posting now: the officer's open reports of that unit have no operator from now on."""
    from chassis.clock import new_id, parse_id, system_clock, to_timestamp
    from tartip.reports.v1 import personnel_pb2 as pb

    if parse_id(posting_id) is None:
        raise Failure(
            f"{posting_id} is no id of a posting: `tartip personnel list` shows them", Exit.USAGE
        )
    request = pb.EndPostingRequest(
        request_id=str(new_id()), posting_id=posting_id, ends_at=to_timestamp(system_clock())
    )
    officer = asyncio.run(_ask("EndPosting", request)).officer
    if as_json:
        print_json(_shape(officer))
    else:
        console.print(f"the posting {posting_id} has ended")


@asynccontextmanager
async def _stub() -> AsyncIterator[Any]:
    from tartip.reports.v1 import personnel_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.topology import CITIZEN_REPORTS

    async with service_stub(
        read_settings(), personnel_pb2_grpc.PersonnelStub, CITIZEN_REPORTS
    ) as stub:
        yield stub


async def _ask(method: str, request: Any) -> Any:
    from tartip_cli.clients.personnel import TIMEOUT_SECONDS

    async with _stub() as stub:
        return await getattr(stub, method)(request, timeout=TIMEOUT_SECONDS)


async def _officers(unit: str) -> list[pb.Officer]:
    from tartip_cli.clients.personnel import every_officer

    async with _stub() as stub:
        return await every_officer(stub, unit)


async def _units() -> list[pb.Unit]:
    from tartip.reports.v1 import personnel_pb2 as pb

    from tartip_cli.clients.personnel import TIMEOUT_SECONDS

    request, found = pb.ListUnitsRequest(), list[pb.Unit]()
    async with _stub() as stub:
        while True:
            answer = await stub.ListUnits(request, timeout=TIMEOUT_SECONDS)
            found += answer.units
            if not answer.next_page_token:
                return found
            request.page.token = answer.next_page_token


def _shape(message: Any) -> dict[str, object]:
    from google.protobuf.json_format import MessageToDict

    shape: dict[str, object] = MessageToDict(message, preserving_proto_field_name=True)
    return shape


def _table(found: list[pb.Officer]) -> Table:
    # Ids are given to other commands, so each stands whole in its line, however narrow the screen.
    table = Table("officer", "unit", Column("posting", no_wrap=True, min_width=_ID_WIDTH))
    for officer in found:
        name = " ".join(filter(None, (officer.ru.family, officer.ru.given)))
        for posting in officer.postings:
            ended = ", ended" if posting.HasField("ends_at") else ""
            table.add_row(name, f"{posting.unit}{ended}", posting.posting_id)
        if not officer.postings:
            table.add_row(name, "", "")
    return table
