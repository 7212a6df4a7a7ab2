"""`tartip fines recheck`: lists issued fines that a check before issuing (a guard) would stop
today."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from tartip_cli.cli.console import AsJson, console, errors, print_json
from tartip_cli.failures import Exit
from tartip_cli.settings import Settings, read_settings

if TYPE_CHECKING:
    from tartip.fines.v1 import fines_pb2 as pb

_PURPOSE = "recheck of issued fines"


def recheck(
    region: Annotated[
        str, typer.Option("--region", help="Only one region, for example KZ-75.")
    ] = "",
    purpose: Annotated[
        str, typer.Option("--purpose", help="Written to the audit log with every fine checked.")
    ] = _PURPOSE,
    as_json: AsJson = False,
) -> None:
    """List the issued fines that a check would stop (hold) if they were issued today, each with all
    reasons. Nothing is changed.

    Cancelled fines are left out. The violation is fetched again from the violations service, and
    the owner from the vehicle register. Both are fetched as of the moment of the offence. Exit code
    12 if any fine would be held.
    """
    checked, held = asyncio.run(_recheck(read_settings(), region, purpose))
    if as_json:
        print_json({"checked": checked, "held": [_shape(fine) for fine in held]})
    else:
        if held:
            console.print(_table(held))
        console.print(f"{checked} fines looked at, {len(held)} would be held.", highlight=False)
    if held:
        raise typer.Exit(Exit.FINDINGS)


async def _recheck(
    settings: Settings, region: str, purpose: str
) -> tuple[int, list[pb.RecheckIssuedFinesResponse]]:
    from chassis.purpose import purpose_metadata
    from tartip.fines.v1 import fines_pb2 as pb
    from tartip.fines.v1 import fines_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.clients.resuming import every_answer
    from tartip_cli.topology import FINES

    def call(token: str) -> Any:
        request = pb.RecheckIssuedFinesRequest(region=region, resume_token=token)
        return stub.RecheckIssuedFines(request, metadata=purpose_metadata(purpose))

    checked, held = 0, []
    with Progress(console=errors, transient=True) as progress:
        task = progress.add_task("looking at issued fines", total=None)
        async with service_stub(settings, fines_pb2_grpc.FinesStub, FINES) as stub:
            async for fine in every_answer(call):
                checked += 1
                progress.update(task, completed=checked, total=checked + fine.remaining)
                if fine.hold_reasons:
                    held.append(fine)
    return checked, held


def _shape(fine: pb.RecheckIssuedFinesResponse) -> dict[str, Any]:
    return {
        "number": fine.number,
        "violation_id": fine.violation_id,
        "region": fine.region,
        "state": _state(fine),
        "amount_minor": fine.amount.amount_minor,
        "hold_reasons": list(fine.hold_reasons),
        "conflicting_numbers": list(fine.conflicting_numbers),
    }


def _state(fine: pb.RecheckIssuedFinesResponse) -> str:
    from tartip.fines.v1 import fines_pb2 as pb

    return pb.FineState.Name(fine.state).removeprefix("FINE_STATE_").lower()


def _table(held: list[pb.RecheckIssuedFinesResponse]) -> Table:
    from tartip_cli.cli.step_reporter import money

    table = Table(title="Issued fines that would be held today", title_justify="left")
    for header in ("number", "region", "state"):
        table.add_column(header, no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    for header in ("reasons", "against"):
        table.add_column(header, overflow="fold")
    for fine in held:
        table.add_row(
            fine.number,
            fine.region,
            _state(fine),
            money(fine.amount.amount_minor),
            ", ".join(fine.hold_reasons),
            ", ".join(fine.conflicting_numbers),
        )
    return table
