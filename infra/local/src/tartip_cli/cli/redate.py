"""`tartip fines redate`: recomputes the time limits of open fines after a calendar was corrected. A
date changes only in the owner's favour."""

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

_PURPOSE = "calendar put right"
_TERMS = ("discount_until", "considered_on", "appeal_until", "in_force_on", "voluntary_until")


def redate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")
    ] = False,
    purpose: Annotated[
        str, typer.Option("--purpose", help="Written to the audit log with every change.")
    ] = _PURPOSE,
    as_json: AsJson = False,
) -> None:
    """Recompute the time limits of open fines; a date changes only in the owner's favour.

    Run it after a working calendar was corrected. Letters, amounts and payments stay unchanged. A
    fine that came into force or became overdue too early returns to its former state. The command
    can be interrupted and run again. Exit code 11 if a year's calendar is missing and the dates of
    a fine can therefore not be computed.
    """
    found = asyncio.run(_redate(read_settings(), dry_run, purpose))
    changed = [fine for fine in found if fine.changed]
    refused = [fine for fine in found if fine.refusal]
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "looked_at": len(found),
                "changed": [_shape(fine) for fine in changed],
                "refused": [{"number": f.number, "reason": f.refusal} for f in refused],
            }
        )
    else:
        _show(found, changed, refused, dry_run)
    if refused:
        raise typer.Exit(Exit.REFUSED)


async def _redate(settings: Settings, dry_run: bool, purpose: str) -> list[pb.RedateFinesResponse]:
    from chassis.purpose import purpose_metadata
    from tartip.fines.v1 import fines_pb2 as pb
    from tartip.fines.v1 import fines_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.clients.resuming import every_answer
    from tartip_cli.topology import FINES

    def call(token: str) -> Any:
        request = pb.RedateFinesRequest(dry_run=dry_run, resume_token=token)
        return stub.RedateFines(request, metadata=purpose_metadata(purpose))

    found: list[pb.RedateFinesResponse] = []
    with Progress(console=errors, transient=True) as progress:
        task = progress.add_task("recomputing open fines", total=None)
        async with service_stub(settings, fines_pb2_grpc.FinesStub, FINES) as stub:
            async for fine in every_answer(call):
                found.append(fine)
                total = len(found) + fine.remaining
                progress.update(task, completed=len(found), total=total)
    return found


def _shape(fine: pb.RedateFinesResponse) -> dict[str, Any]:
    return {
        "number": fine.number,
        "region": fine.region,
        "state": _state(fine),
        "dates": {
            term: {"before": getattr(fine.before, term), "after": getattr(fine.after, term)}
            for term in _moved(fine)
        },
        "calendar_version": fine.after.calendar_version,
    }


def _show(
    found: list[pb.RedateFinesResponse],
    changed: list[pb.RedateFinesResponse],
    refused: list[pb.RedateFinesResponse],
    dry_run: bool,
) -> None:
    if changed:
        console.print(_table(changed))
    verb = "would change" if dry_run else "changed"
    console.print(f"{len(found)} open fines looked at, {len(changed)} {verb}.", highlight=False)
    for fine in refused:
        console.print(f"{fine.number}: {fine.refusal}", style="bold red", highlight=False)


def _table(changed: list[pb.RedateFinesResponse]) -> Table:
    table = Table(title="Terms that end later", title_justify="left")
    for header in ("number", "region", "state"):
        table.add_column(header, no_wrap=True)
    table.add_column("from → to", overflow="fold")
    for fine in changed:
        moves = ", ".join(
            f"{term.replace('_', ' ')} {getattr(fine.before, term)} → {getattr(fine.after, term)}"
            for term in _moved(fine)
        )
        table.add_row(fine.number, fine.region, _state(fine), moves)
    return table


def _moved(fine: pb.RedateFinesResponse) -> list[str]:
    return [term for term in _TERMS if getattr(fine.before, term) != getattr(fine.after, term)]


def _state(fine: pb.RedateFinesResponse) -> str:
    from tartip.fines.v1 import fines_pb2 as pb

    return pb.FineState.Name(fine.state).removeprefix("FINE_STATE_").lower()
