"""`tartip routing`: the rules that say to which unit a report goes."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from tartip_cli.cli.console import App, AsJson, console, print_json
from tartip_cli.settings import read_settings

_TIMEOUT_SECONDS = 60
_NEWEST = 20

File = Annotated[Path, typer.Argument(help="A YAML file as `tartip routing show` prints it.")]
Number = Annotated[int, typer.Argument(min=0, help="The number of a version.")]
Version = Annotated[
    int | None, typer.Option("--version", min=0, help="Instead of the active version.")
]


def register(app: App) -> None:
    group = typer.Typer(
        help="The rules that say to which unit a report goes: versions, tries, what is active.",
        no_args_is_help=True,
    )
    group.command(name="dry-run")(dry_run)
    for command in (show, versions, check, draft, replay, activate):
        group.command()(command)
    app.add_typer(group, name="routing")


def show(version: Version = None, as_json: AsJson = False) -> None:
    """Print the rules of a version as YAML, which can be changed and drafted."""
    from tartip.reports.v1 import routing_pb2 as pb

    from tartip_cli.clients.routing_file import to_yaml

    routing = _ask("GetRouting", pb.GetRoutingRequest(version=version)).routing
    if as_json:
        print_json(_shape(routing))
    else:
        sys.stdout.write(to_yaml(routing))


def versions(as_json: AsJson = False) -> None:
    """List the newest versions. Version 0 is the table that Tartip comes with."""
    from tartip.reports.v1 import routing_pb2 as pb

    request = pb.ListRoutingsRequest()
    request.page.size = _NEWEST
    found = _ask("ListRoutings", request).routings
    if as_json:
        print_json({"versions": [_shape(routing) for routing in found]})
        return
    table = Table("version", "state", "default", "note")
    for one in found:
        table.add_row(str(one.version), _state(one), one.default_desk, one.note)
    if not any(one.active for one in found):
        table.add_row("0", "active", "manual", "the table that Tartip comes with")
    console.print(table)


def check(file: File, as_json: AsJson = False) -> None:
    """Name everything that is wrong with the rules of a file. Nothing is stored."""
    from chassis.clock import new_id

    from tartip_cli.clients.routing_file import read_file

    request = read_file(file)
    request.request_id, request.validate_only = str(new_id()), True
    _ask("DraftRouting", request)
    if as_json:
        print_json({"rules": len(request.rules), "right": True})
    else:
        console.print(f"{len(request.rules)} rules, all right")


def draft(
    file: File,
    note: Annotated[str, typer.Option(help="Why, for whoever reads it later.")] = "",
    as_json: AsJson = False,
) -> None:
    """Store the rules of a file as a new version. It is not active yet."""
    from chassis.clock import new_id

    from tartip_cli.clients.routing_file import read_file

    request = read_file(file)
    request.request_id, request.note = str(new_id()), note
    routing = _ask("DraftRouting", request).routing
    if as_json:
        print_json(_shape(routing))
    else:
        console.print(f"version {routing.version}: `tartip routing replay {routing.version}` next")


def dry_run(
    facts: Annotated[
        list[str],
        typer.Argument(
            help="category=incident, region=KZ-75 or point=43.2,76.9, kato=751110000, language=kk,"
            " at=2026-12-03T22:30 (in Almaty; else now)."
        ),
    ],
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Say which unit a report would go to, by which rule, and why no rule before takes it."""
    from tartip_cli.clients.routing_file import read_facts

    request = read_facts(facts)
    if version is not None:
        request.version = version
    found = _ask("DryRunRouting", request)
    if as_json:
        print_json(_shape(found))
        return
    for passed in found.passed:
        console.print(f"{passed.name}: not by {', '.join(passed.conditions)}")
    console.print(f"{found.unit}: rule {found.rule} of version {found.version}")


def replay(version: Number, as_json: AsJson = False) -> None:
    """Say which reports of the last seven days would have gone to another unit."""
    from tartip.reports.v1 import routing_pb2 as pb

    found = _ask("ReplayRouting", pb.ReplayRoutingRequest(version=version))
    if as_json:
        print_json(_shape(found))
        return
    console.print(f"{found.moved} of {found.replayed} reports would have gone elsewhere")
    table = Table("from", "to", "reports", "numbers")
    for one in found.moves:
        table.add_row(one.from_unit, one.to_unit, str(one.count), " ".join(one.numbers))
    if found.moves:
        console.print(table)


def activate(
    version: Number,
    starting: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%dT%H:%M"], help="In Almaty; else from now on."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a version active. It must have been replayed; version 0 needs not."""
    from chassis.clock import new_id, to_timestamp
    from tartip.reports.v1 import routing_pb2 as pb

    from tartip_cli.clients.routing_file import in_almaty

    request = pb.ActivateRoutingRequest(request_id=str(new_id()), version=version)
    if starting is not None:
        request.active_from.CopyFrom(to_timestamp(in_almaty(starting)))
    routing = _ask("ActivateRouting", request).routing
    if as_json:
        print_json(_shape(routing))
    else:
        console.print(f"version {routing.version} is {_state(routing)}")


def _state(routing: Any) -> str:
    from chassis.clock import from_timestamp, system_clock

    if routing.active:
        return "active"
    if not routing.HasField("active_from"):
        return "replayed" if routing.HasField("replayed_at") else "draft"
    starts = from_timestamp(routing.active_from)
    return f"active from {starts.isoformat()}" if starts > system_clock() else "was active"


def _ask(method: str, request: Any) -> Any:
    async def ask() -> Any:
        from tartip.reports.v1 import routing_pb2_grpc

        from tartip_cli.cli.client import service_stub
        from tartip_cli.topology import CITIZEN_REPORTS

        async with service_stub(
            read_settings(), routing_pb2_grpc.RoutingStub, CITIZEN_REPORTS
        ) as stub:
            return await getattr(stub, method)(request, timeout=_TIMEOUT_SECONDS)

    return asyncio.run(ask())


def _shape(message: Any) -> dict[str, object]:
    from google.protobuf.json_format import MessageToDict

    shape: dict[str, object] = MessageToDict(message, preserving_proto_field_name=True)
    return shape
