"""`tartip cameras change`: sets fields of many cameras to the same values."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tartip_cli.cli.camera_lists import Filters, read_filters
from tartip_cli.cli.camera_sending import bar, print_findings, send
from tartip_cli.cli.console import AsJson, console, hint, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings, read_settings

if TYPE_CHECKING:
    from tartip.cameras.v1 import cameras_pb2 as pb

    from tartip_cli.clients.camera_edits import ChangedRows, Edits
    from tartip_cli.clients.camera_import import Result

_COLUMNS = ("camera_id", "field", "reason", "expected")


def change_cameras(
    given: Filters = None,
    edits: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="May be repeated; an empty value clears the field. The fields are the columns of "
            "`tartip cameras import`, but for those that each camera has of its own.",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All cameras, where no filter is given.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change all cameras that match the filters: `… change region=KZ-75 --set connected=yes`.

    A camera that somebody else changes while the command runs is not changed by the command. An
    interrupted command may be run again. Exit code 11 if the change of a camera was refused; all
    other cameras are changed.
    """
    from tartip_cli.clients.camera_edits import ChangedRows, Edits

    if not given and not every:
        raise Failure("which cameras? Give a filter such as region=KZ-75, or --all", Exit.USAGE)
    read, wanted = Edits(edits or []), read_filters(given or [])
    with ChangedRows() as changed:
        result = asyncio.run(_change(read_settings(), wanted, read, changed, dry_run=dry_run))
        refused = _refusals(result, changed)
    _report(changed, result, refused, as_json=as_json, dry_run=dry_run)


async def _change(
    settings: Settings,
    wanted: pb.ListCamerasRequest,
    edits: Edits,
    changed: ChangedRows,
    *,
    dry_run: bool,
) -> Result:
    """Read the cameras, then send those that the edits change as an import."""
    from tartip.cameras.v1 import cameras_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.clients.camera_import import Result
    from tartip_cli.clients.camera_list import each_camera, expected
    from tartip_cli.topology import CAMERA_REGISTRY

    stub_of = cameras_pb2_grpc.CameraRegistryStub
    async with service_stub(settings, stub_of, CAMERA_REGISTRY) as stub:
        with bar() as progress:
            task = progress.add_task("read", total=await expected(stub, wanted))
            await changed.read(
                each_camera(stub, wanted),
                edits,
                lambda done: progress.update(task, completed=done),
            )
            progress.update(task, total=changed.matched)
    if not changed.changed:
        return Result()
    return await send(settings, "", changed.rows, total=changed.changed, dry_run=dry_run)


def _refusals(result: Result, changed: ChangedRows) -> list[dict[str, Any]]:
    """The refusals, each with the id of its camera."""
    rows = {finding.row for finding in result.refused}
    ids = {each.row: each.camera_id for each in changed.rows() if each.row in rows} if rows else {}
    return [
        {
            "camera_id": ids[finding.row],
            "field": finding.field.removeprefix("description."),
            "reason": finding.reason,
            "expected": finding.expected,
        }
        for finding in result.refused
    ]


def _report(
    changed: ChangedRows,
    result: Result,
    refused: list[dict[str, Any]],
    *,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Print what became of the cameras. Raises typer.Exit if one was refused."""
    cameras = {finding["camera_id"] for finding in refused}
    figures = {"matched": changed.matched, "changed": result.changed}
    if as_json:
        print_json({"dry_run": dry_run, **figures, "refused": refused})
    else:
        print_findings("Refused", refused, _COLUMNS)
        would = "would be " if dry_run else ""
        said = f"{changed.matched} match, {result.changed} {would}changed, {len(cameras)} refused"
        console.print(said, highlight=False)
        if cameras:
            console.print(hint("`tartip cameras change … --json` prints every refusal."))
    if cameras:
        raise typer.Exit(Exit.REFUSED)
