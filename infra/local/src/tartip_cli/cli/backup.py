"""`tartip backup` and `tartip restore`: write the mesh into one encrypted file, and restore the
mesh from that file."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich import progress as bars

from tartip_cli.cli.console import App, AsJson, console, errors, hint, print_json
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings, read_settings
from tartip_cli.supervisor.lock import running_mesh

if TYPE_CHECKING:
    from tartip_cli.backup.manifest import Manifest

_KEY_HELP = "A file with the key (64 hexadecimal digits), or with a passphrase."


def register(app: App) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(
    place: Annotated[Path, typer.Argument(help="The file to write, or a folder for it.")],
    key: Annotated[Path | None, typer.Option("--key", help=_KEY_HELP)] = None,
    new_key: Annotated[
        Path | None, typer.Option("--new-key", help="Make a key, and write it to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Back up the running mesh into one encrypted file; the mesh keeps running.

    Store the key in another place than the backup: without the key, nobody can read the backup.
    Exit code 12 if the database names files of evidence that are missing; the backup is written
    nevertheless.
    """
    from tartip_cli.backup.create import create
    from tartip_cli.backup.sealed_file import read_secret

    settings = read_settings()
    source = _source(settings)
    target = _target(place)
    if (key is None) == (new_key is None):
        raise Failure("give either --key or --new-key", Exit.USAGE)
    for path in (target, key, new_key):
        if path is not None and path.resolve().is_relative_to(settings.home.resolve()):
            raise Failure(f"{path} is in the data folder and would be lost with it", Exit.USAGE)
    secret = read_secret(key or _made(new_key or Path()))
    with _Stages() as stages:
        manifest = asyncio.run(create(source, target, secret, stages))
    _print(target, manifest, as_json)
    if manifest.missing_evidence:
        raise typer.Exit(Exit.FINDINGS)


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    key: Annotated[Path, typer.Option("--key", help=_KEY_HELP)],
    erasures: Annotated[
        Path | None,
        typer.Option(help="The folder with the lists of erasures, if not where TARTIP_ERASURES is"),
    ] = None,
    incomplete_erasures: Annotated[
        bool,
        typer.Option(
            "--incomplete-erasures",
            help="Restore though the lists are missing or damaged: erased data may come back.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check the backup; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into the empty data folder, then check the audit logs and the ledger of
    fines.

    If the lists of erasures are complete, personal data that were erased after the backup remain
    unreadable.
    """
    from tartip_cli.backup.restore import Restore
    from tartip_cli.backup.sealed_file import read_secret

    settings = read_settings()
    with _Stages() as stages:
        task = Restore(
            opened=lambda: stages.opened(file),
            secret=read_secret(key),
            settings=settings,
            erasures=erasures or settings.erasures_folder,
            incomplete_erasures=incomplete_erasures,
        )
        if not dry_run:
            task.require_empty()
        manifest, listed = task.check()
        if not dry_run:
            asyncio.run(task.run(manifest))
    _print(file, manifest, as_json, erasures_listed=listed, restored=not dry_run)
    if not as_json and not dry_run:
        console.print(
            hint("Audit logs and ledger are those of the backup. `tartip up` starts the mesh.")
        )


def _source(settings: Settings) -> Any:
    from tartip_cli.backup.create import Source
    from tartip_cli.parts.mesh import Mesh

    running = running_mesh(DataDir(settings.home))
    if running is None:
        raise Failure(
            f"no mesh runs from {settings.home}: start it with `tartip up` (or `make run`)",
            Exit.NOT_RUNNING,
        )
    running.share_clock()
    mesh = Mesh.build(replace(settings, port_base=running.port_base))
    return Source(
        home=mesh.home,
        database_url=mesh.database.url,
        erasures=settings.erasures_folder,
        evidence_is_outside=settings.evidence_url is not None,
    )


def _target(place: Path) -> Path:
    if place.is_dir():
        from chassis.clock import real_clock

        place = place / f"tartip-{real_clock():%Y-%m-%dT%H%M%SZ}.backup"
    if place.exists():
        raise Failure(f"{place} exists: name another file", Exit.USAGE)
    return place


def _made(path: Path) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
    return path


def _print(file: Path, manifest: Manifest, as_json: bool, **more: object) -> None:
    summary = manifest.summary()
    if as_json:
        print_json({"file": str(file), **summary, **more})
        return
    for path in manifest.missing_evidence:
        errors.print(f"missing: evidence/{path}", markup=False)
    entries = manifest.ledger.entries
    console.print(
        f"{file}: {summary['files']} files, {summary['bytes'] / 2**20:.1f} MiB, as of "
        f"{manifest.made_at[:19]}, {entries} ledger entries",
        highlight=False,
        soft_wrap=True,
    )


class _Stages:
    """Progress bars on standard error, one for each stage, on a terminal alone."""

    def __init__(self) -> None:
        self._shown = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.TaskProgressColumn(show_speed=True),
            bars.TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
        self._tasks: dict[str, bars.TaskID] = {}
        self._reading = iter(("checking", "files", "database"))

    def __enter__(self) -> _Stages:
        self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.stop()

    def show(self, name: str, done: int, total: int | None = None) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._shown.add_task(name, total=total)
        self._shown.update(self._tasks[name], completed=done)

    def opened(self, path: Path) -> IO[bytes]:
        """Open a backup; how much of it was read is a stage of its own."""
        return self._shown.open(path, "rb", description=next(self._reading))
