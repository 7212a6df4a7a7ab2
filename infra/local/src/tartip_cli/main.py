"""The `tartip` command. Each group of commands is one module, and is registered here.

Each such module has a function `register(app)`. To add a group, write the module and add it to
`_GROUPS`. A package outside `tartip_cli`, such as `tartip_bench`, adds commands by an entry point
in the group `tartip.commands`.
"""

from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from tartip_cli.cli import (
    backup,
    cameras,
    demo,
    fines,
    functions,
    hubs,
    ingest,
    keys,
    nats,
    partners,
    redrive,
    revoking,
    seed,
    status,
    streams,
    trace,
    up,
    verify,
)
from tartip_cli.cli.console import new_app

_GROUPS = (
    up,
    status,
    trace,
    demo,
    ingest,
    functions,
    streams,
    fines,
    partners,
    revoking,
    keys,
    cameras,
    hubs,
    seed,
    verify,
    redrive,
    nats,
    backup,
)

app = new_app("Tartip: cameras, violations, fines and citizens' reports, on this machine.")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tartip {version('tartip-local')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Handle the options of `tartip` itself, which stand before a command, such as --version."""


for group in _GROUPS:
    group.register(app)
for addition in entry_points(group="tartip.commands"):
    addition.load()(app)
