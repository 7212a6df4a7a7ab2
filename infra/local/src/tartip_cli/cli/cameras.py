"""`tartip cameras import`: registers and changes the cameras in a file."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tartip_cli.cli.camera_changes import change_cameras
from tartip_cli.cli.camera_lists import export_cameras
from tartip_cli.cli.camera_sending import print_findings, send
from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.failures import Exit
from tartip_cli.settings import read_settings

if TYPE_CHECKING:
    from tartip.cameras.v1 import cameras_pb2 as pb

    from tartip_cli.clients.camera_files import Wrong
    from tartip_cli.clients.camera_import import Result

_COLUMNS = ("row", "field", "reason", "expected", "camera_id")


def register(app: App) -> None:
    group = typer.Typer(help="The register of cameras.", no_args_is_help=True)
    group.command(name="import")(import_cameras)
    group.command(name="export")(export_cameras)
    group.command(name="change")(change_cameras)
    app.add_typer(group, name="cameras")


def import_cameras(
    file: Annotated[
        Path,
        typer.Argument(help="A CSV file, whose first line names the columns, or .parquet."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register and change the cameras in a file, and list each row that is refused.

    Columns: name, latitude, longitude, kind, serial and owner_bin or owner_iin; optional:
    camera_id, region, address, kato, make, model, azimuth_degrees, operator_bin, connected,
    control_centre, functions, face_basis, certificate_number, certificate_valid_until,
    verification_number, verified_from, verified_until, speed_tolerance_kmh, dedupe_seconds, site,
    site_category, height_metres, field_of_view_degrees, retention_days, onvif_profiles,
    owner_is_person (yes: the registered owner, a person, stays the owner), stream_url, stream_user,
    stream_password, substream_url, substream_user, substream_password and hub_id.

    A row describes the camera with its camera_id if given, otherwise the camera with its serial and
    make. If there is no such camera, it is registered. A camera whose description is the same stays
    unchanged. If the description differs, the row replaces it, and fields that the row does not
    have are cleared. Two things are always kept: the device key, and verifications with other
    numbers. If the row has none, the hub, the streams with their passwords and the bases of
    functions are kept too.

    The same command resumes an import that was interrupted. Exit code 11 if a row was refused; the
    other rows are imported.
    """
    from tartip_cli.clients.camera_files import CameraFile
    from tartip_cli.clients.camera_parquet import ParquetCameraFile, is_parquet

    given = ParquetCameraFile(file) if is_parquet(file) else CameraFile(file)
    name = hashlib.sha256(file.read_bytes()).hexdigest()
    result = asyncio.run(
        send(read_settings(), name, given.cameras, total=len(given), dry_run=dry_run)
    )
    report(result, given.wrong, as_json=as_json, dry_run=dry_run)


def report(
    result: Result, wrong: list[Wrong], *, as_json: bool = False, dry_run: bool = False
) -> None:
    """Print how many rows were added, changed, left unchanged and refused, and why rows were
    refused. `wrong` holds the unreadable cells. Raises typer.Exit if a row was refused or cannot be
    read."""
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
        print_findings("Refused", refused, _COLUMNS)
        print_findings("Probable duplicates", likely, _COLUMNS)
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
