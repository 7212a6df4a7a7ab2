"""`tartip cameras import`: registers and changes the cameras in a file."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tartip_cli.cli.console import App, AsJson, console, errors, hint, print_json
from tartip_cli.failures import Exit
from tartip_cli.settings import Settings, read_settings

if TYPE_CHECKING:
    from tartip.cameras.v1 import cameras_pb2 as pb

    from tartip_cli.clients.camera_files import Wrong
    from tartip_cli.clients.camera_import import Result

_SHOWN = 20


def register(app: App) -> None:
    group = typer.Typer(help="The register of cameras.", no_args_is_help=True)
    group.command(name="import")(import_cameras)
    app.add_typer(group, name="cameras")


def import_cameras(
    file: Annotated[Path, typer.Argument(help="A CSV file; its first line names the columns.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register and change the cameras in a file, and name each row that is refused.

    Columns: name, latitude, longitude, kind, serial and owner_bin or owner_iin; optional:
    camera_id, region, address, kato, make, model, azimuth_degrees, operator_bin, connected,
    control_centre, functions, face_basis, certificate_number, certificate_valid_until,
    verification_number, verified_from, verified_until, speed_tolerance_kmh, dedupe_seconds, site,
    site_category, height_metres, field_of_view_degrees, retention_days, onvif_profiles,
    owner_is_person (yes: the owner stays the person who it is), stream_url, stream_user,
    stream_password, substream_url, substream_user and substream_password.

    A camera is found by camera_id if given, else by serial and make. It stays unchanged if its
    description is the same. If not, all of it becomes as the row says, also what the file leaves
    out, except its device key, streams and passwords, its verifications with other numbers, and
    the bases of functions.

    The same command resumes an import that was interrupted. Exit code 11 if a row was refused; the
    other rows are imported.
    """
    from tartip_cli.clients.camera_files import CameraFile

    given = CameraFile(file)
    name = hashlib.sha256(file.read_bytes()).hexdigest()
    result = asyncio.run(
        send(read_settings(), name, given.cameras, total=len(given), dry_run=dry_run)
    )
    report(result, given.wrong, as_json=as_json, dry_run=dry_run)


async def send(
    settings: Settings,
    name: str,
    rows: Callable[[], Iterable[pb.ImportedCamera]],
    *,
    total: int,
    dry_run: bool = False,
) -> Result:
    """Send rows to the register with a progress bar. Resumes an interrupted import of this name."""
    from chassis.clock import new_id
    from tartip.cameras.v1 import cameras_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.clients.camera_import import Unfinished, send_all
    from tartip_cli.data_dir import DataDir
    from tartip_cli.topology import CAMERA_REGISTRY

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    stub_of = cameras_pb2_grpc.CameraRegistryStub
    async with service_stub(settings, stub_of, CAMERA_REGISTRY) as stub:
        unfinished = None if dry_run else Unfinished.named(DataDir(settings.home), name)
        with Progress(*columns, console=errors) as progress:
            task = progress.add_task("cameras", total=total)
            result = await send_all(
                stub,
                unfinished.import_id if unfinished else str(new_id()),
                rows,
                dry_run=dry_run,
                after_each=lambda done: progress.update(task, completed=done),
            )
            progress.update(task, completed=total)
        if unfinished:
            unfinished.finish()
    return result


def report(
    result: Result, wrong: list[Wrong], *, as_json: bool = False, dry_run: bool = False
) -> None:
    """Print what became of the rows. Raises typer.Exit if one was refused or cannot be read."""
    refused = [_unreadable(each) for each in wrong] + [_shape(each) for each in result.refused]
    refused.sort(key=lambda finding: int(finding["row"]))
    likely = [_shape(each) for each in result.probable_duplicates]
    figures = {name: getattr(result, name) for name in ("added", "changed", "unchanged")}
    rows = {finding["row"] for finding in refused}
    if as_json:
        print_json(
            {"dry_run": dry_run, **figures, "refused": refused, "probable_duplicates": likely}
        )
    else:
        _print_findings("Refused", refused)
        _print_findings("Probable duplicates", likely)
        would = "would be " if dry_run else ""
        said = ", ".join(f"{number} {would}{name}" for name, number in figures.items())
        console.print(f"{said}, {len(rows)} refused", highlight=False)
        if rows:
            console.print(hint("`tartip cameras import FILE --json` prints every refusal."))
    if rows:
        raise typer.Exit(Exit.REFUSED)


def _shape(finding: pb.RowFinding) -> dict[str, Any]:
    return {
        "row": finding.row,
        "field": finding.field.removeprefix("description."),
        "reason": finding.reason,
        "expected": finding.expected,
        "camera_id": finding.camera_id,
    }


def _unreadable(wrong: Wrong) -> dict[str, Any]:
    return {
        "row": wrong.row,
        "field": wrong.column,
        "reason": "NOT_READABLE",
        "expected": wrong.expected,
        "camera_id": "",
    }


def _print_findings(title: str, findings: list[dict[str, Any]]) -> None:
    if not findings:
        return
    more = f" (the first {_SHOWN} of {len(findings)})" if len(findings) > _SHOWN else ""
    table = Table(title=title + more, title_justify="left")
    for header in ("row", "field", "reason", "expected", "camera"):
        table.add_column(header, overflow="fold")
    for each in findings[:_SHOWN]:
        cells = (each[name] for name in ("row", "field", "reason", "expected", "camera_id"))
        table.add_row(*map(str, cells))
    console.print(table)
