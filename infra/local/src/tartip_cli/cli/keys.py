"""`tartip keys rotate`: replaces keys while the mesh runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, TaskID

from tartip_cli.cli.console import App, AsJson, console, print_json
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings
from tartip_cli.supervisor.lock import running_mesh

if TYPE_CHECKING:
    from tartip_cli.parts.mesh import Mesh

DataKeys = Annotated[
    bool,
    typer.Option("--data-keys", help="Wrap all data keys of the services by new wrapping keys."),
]
BrokerKeys = Annotated[bool, typer.Option("--broker", help="Replace the keys of NATS's users.")]
Settle = Annotated[
    float,
    typer.Option(
        "--settle-seconds",
        min=0,
        help="How long calls may still store data keys wrapped by the old key (--data-keys).",
    ),
]
# As in host.rewrapping, which this process does not load.
_SETTLE_SECONDS = 900.0


def register(app: App) -> None:
    group = typer.Typer(help="The keys of the mesh.", no_args_is_help=True)
    group.callback()(_keys)
    group.command()(rotate)
    app.add_typer(group, name="keys")


def _keys() -> None:
    """The keys of the mesh."""


def rotate(
    data_keys: DataKeys = False,
    broker: BrokerKeys = False,
    settle_seconds: Settle = _SETTLE_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Replace keys while the mesh runs. If the command was interrupted, run it again to complete
    it.

    With --broker, every NATS user gets a new key.

    With --data-keys, each class of data keys gets a new wrapping key, which encrypts all data keys
    of the class again. After a quarter of an hour (or --settle-seconds), the old wrapping key is
    destroyed. An older dump of the database is then readable only with a backup of the old wrapping
    key. `tartip backup` includes the wrapping keys.
    """
    if not (data_keys or broker):
        raise Failure("say which keys: --data-keys, --broker or both", Exit.USAGE)
    mesh = _mesh()
    done: dict[str, object] = {}
    if broker:
        done["broker_users"] = asyncio.run(_rotate_broker(mesh, quiet=as_json))
    if data_keys:
        done["data_keys"] = asyncio.run(_rotate_data_keys(mesh, settle_seconds, quiet=as_json))
    if as_json:
        print_json(done)


async def _rotate_broker(mesh: Mesh, *, quiet: bool) -> int:
    from tartip_cli.supervisor.rotation import rotate_broker_keys

    if quiet:
        return await rotate_broker_keys(mesh)
    with console.status("the users of NATS get new keys …"):
        users = await rotate_broker_keys(mesh)
    console.print(f"{users} users of NATS have new keys.", highlight=False)
    return users


async def _rotate_data_keys(mesh: Mesh, settle_seconds: float, *, quiet: bool) -> dict[str, int]:
    from tartip_cli.supervisor.rotation import rotate_data_keys

    totals: dict[str, int] = {}
    tasks: dict[str, TaskID] = {}
    if not quiet:  # without a terminal there is no progress bar until the end
        console.print(
            "data keys get new wrapping keys; the older ones are destroyed after "
            f"{settle_seconds:g} s …",
            highlight=False,
        )
    with Progress(console=console, disable=quiet) as progress:

        def report(what: str, done: int, total: int) -> None:
            totals[what] = total
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        await rotate_data_keys(
            mesh, mesh.migrated_services, settle_seconds=settle_seconds, report=report
        )
    if not quiet:
        console.print(
            f"{sum(totals.values())} data keys are wrapped anew; the older wrapping keys are "
            "destroyed.",
            highlight=False,
        )
    return totals


def _mesh() -> Mesh:
    """The mesh of the data folder, with the ports on which it runs."""
    from tartip_cli.parts.mesh import Mesh

    settings = read_settings()
    running = running_mesh(DataDir(settings.home))
    if running is None:
        raise Failure("no mesh runs: start it with `tartip up`", Exit.NOT_RUNNING)
    base, gateway = running.port_base, running.gateway_port
    return Mesh.build(replace(settings, port_base=base, gateway_port=gateway))
