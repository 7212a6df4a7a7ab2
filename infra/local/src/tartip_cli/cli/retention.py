"""`tartip retention`: what of citizens' reports is erased by itself and when; holds of the law."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings

if TYPE_CHECKING:
    from tartip.reports.v1 import retention_pb2 as pb

TIMEOUT_SECONDS = 30.0
_Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day, in UTC.")]


def register(app: App) -> None:
    group = typer.Typer(help="What of ended reports is erased by itself, and when.")
    group.callback(invoke_without_command=True)(retention)
    group.command()(hold)
    group.command()(lift)
    app.add_typer(group, name="retention")


def retention(context: typer.Context, until: _Day = None, as_json: AsJson = False) -> None:
    """Show what is erased until a day, by class, part and day. Nothing is erased by this command.

    Without a day, it shows what is due now.
    """
    if context.invoked_subcommand:
        return
    from tartip.reports.v1 import retention_pb2 as pb

    request = pb.GetRetentionRequest()
    if until is not None:
        request.until.FromDatetime(until)
    answer: pb.GetRetentionResponse = asyncio.run(_ask("GetRetention", request))
    if as_json:
        print_json(_shape(answer))
    elif answer.planned:
        console.print(_table(answer))
    else:
        console.print(hint("Nothing is due until then."))


def hold(
    number: Annotated[str, typer.Argument(help="The number of the report.")],
    reason: Annotated[str, typer.Option(help="court, investigation, prosecutor or claim.")],
    until: _Day = None,
    as_json: AsJson = False,
) -> None:
    """Keep a report until a day, beyond its term. Recorded in the audit log."""
    from chassis.clock import new_id
    from tartip.reports.v1 import retention_pb2 as pb

    if until is None:
        raise Failure("say until when: --until 2027-12-31", Exit.USAGE)
    request = pb.PlaceHoldRequest(hold_id=str(new_id()), number=number, reason=reason)
    request.ends_at.FromDatetime(until)
    placed = asyncio.run(_ask("PlaceHold", request)).hold
    if as_json:
        print_json(_shape(placed))
    else:
        console.print(f"{number} is held; `tartip retention lift {placed.hold_id}` ends it")


def lift(
    hold_id: Annotated[str, typer.Argument(help="As `tartip retention hold` gave it.")],
    as_json: AsJson = False,
) -> None:
    """End a hold now. What is due then is erased within ten minutes."""
    from tartip.reports.v1 import retention_pb2 as pb

    lifted = asyncio.run(_ask("LiftHold", pb.LiftHoldRequest(hold_id=hold_id))).hold
    if as_json:
        print_json(_shape(lifted))
    else:
        console.print(f"the hold {hold_id} has ended")


async def _ask(method: str, request: Any) -> Any:
    from tartip.reports.v1 import retention_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.topology import CITIZEN_REPORTS

    async with service_stub(
        read_settings(), retention_pb2_grpc.RetentionStub, CITIZEN_REPORTS
    ) as stub:
        return await getattr(stub, method)(request, timeout=TIMEOUT_SECONDS)


def _shape(message: Any) -> dict[str, object]:
    from google.protobuf.json_format import MessageToDict

    shape: dict[str, object] = MessageToDict(message, preserving_proto_field_name=True)
    return shape


def _table(answer: pb.GetRetentionResponse) -> Table:
    assumed = {(term.report_class, term.part): term.source for term in answer.terms}
    table = Table("day", "class", "part", "reports", "held", "term from")
    for one in sorted(answer.planned, key=lambda one: one.day):
        source = assumed[one.report_class, one.part]
        counts = str(one.reports), str(one.held)
        table.add_row(one.day, one.report_class, one.part, *counts, source)
    return table
