"""Functions that the commands about cameras share: show progress, send an import, and print the
rows that were refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tartip_cli.cli.console import console, errors
from tartip_cli.settings import Settings

if TYPE_CHECKING:
    from tartip.cameras.v1 import cameras_pb2 as pb

    from tartip_cli.clients.camera_import import Result

_SHOWN = 20


def bar() -> Progress:
    """Return a progress bar that is drawn on the standard error stream."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
    )


async def send(
    settings: Settings,
    name: str,
    rows: Callable[[], Iterable[pb.ImportedCamera]],
    *,
    total: int,
    dry_run: bool = False,
) -> Result:
    """Import the rows that `rows` yields into the camera register, and show a progress bar. `total`
    is the number of rows. `rows` is called again after an interruption and must yield the same
    rows.

    `name` names the import. If an import of this name was interrupted, it is resumed. In a dry run,
    or if `name` is empty, a new import is always begun.
    """
    from chassis.clock import new_id
    from tartip.cameras.v1 import cameras_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.clients.camera_import import Unfinished, send_all
    from tartip_cli.data_dir import DataDir
    from tartip_cli.topology import CAMERA_REGISTRY

    stub_of = cameras_pb2_grpc.CameraRegistryStub
    async with service_stub(settings, stub_of, CAMERA_REGISTRY) as stub:
        is_kept = bool(name) and not dry_run
        unfinished = Unfinished.named(DataDir(settings.home), name) if is_kept else None
        with bar() as progress:
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


def print_findings(title: str, findings: list[dict[str, Any]], columns: Sequence[str]) -> None:
    """Print the first _SHOWN of `findings` (such as refused rows) as a table. The columns of the
    table are the keys in `columns`. Prints nothing if `findings` is empty."""
    if not findings:
        return
    more = f" (the first {_SHOWN} of {len(findings)})" if len(findings) > _SHOWN else ""
    table = Table(title=title + more, title_justify="left")
    for header in columns:
        table.add_column(header.removesuffix("_id"), overflow="fold")
    for each in findings[:_SHOWN]:
        table.add_row(*(str(each[name]) for name in columns))
    console.print(table)
