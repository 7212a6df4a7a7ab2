"""The `tartip` command: one module for each group of commands, registered here and nowhere else.

A module offers `register(app)`. To add a command group, write the module and add it to `_GROUPS`.
"""

from importlib.metadata import version
from typing import Annotated

import typer

from tartip_cli import (
    bench_command,
    demo,
    fines_command,
    functions_command,
    ingest,
    redrive,
    seed,
    status_command,
    streams_command,
    trace_command,
    up_command,
    verify,
)
from tartip_cli.console import new_app

_GROUPS = (
    up_command,
    status_command,
    trace_command,
    demo,
    ingest,
    functions_command,
    streams_command,
    fines_command,
    seed,
    verify,
    redrive,
    bench_command,
)

app = new_app("Tartip: cameras, violations, fines and citizens' reports, on this machine.")
for group in _GROUPS:
    group.register(app)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"tartip {version('tartip-local')}")
        raise typer.Exit


@app.callback()
def tartip(
    _: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_say_version, help="The release; exits."),
    ] = False,
) -> None:
    """Options that stand before a command."""
