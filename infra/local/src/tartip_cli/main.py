"""The `tartip` command. Each module of `_MODULES` registers the commands that are named with it.

Each such module has a function `register(app)`. To add commands, write the module and add it to
`_MODULES`. A package outside `tartip_cli`, such as `tartip_bench`, adds a command by an entry point
of that name in the group `tartip.commands`.

Only the module of the command that was called is loaded: loading all of them takes longer than most
commands do.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points, version
from typing import Annotated, Final

import typer

from tartip_cli.cli.console import App, new_app

_MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "up": ("up", "down", "migrate"),
    "status": ("status", "logs"),
    "trace": ("trace",),
    "demo": ("demo",),
    "ingest": ("ingest",),
    "functions": ("functions",),
    "streams": ("streams",),
    "fines": ("fines",),
    "partners": ("partners",),
    "revoking": ("officers",),
    "keys": ("keys",),
    "cameras": ("cameras",),
    "hubs": ("hubs",),
    "seed": ("seed",),
    "verify": ("verify",),
    "redrive": ("redrive",),
    "nats": ("nats",),
    "backup": ("backup", "restore"),
}


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tartip {version('tartip-local')}")
        raise typer.Exit


def main() -> None:
    """Run the command that the arguments of this process name."""
    called = sys.argv[1] if len(sys.argv) > 1 else ""
    app = new_tartip()
    for module, commands in _MODULES.items():
        if called in commands:
            _register(app, module)
            app()
    whole_app()()


def whole_app() -> App:
    """Return `tartip` with all commands, also those of other packages."""
    app = new_tartip()
    for module in _MODULES:
        _register(app, module)
    for addition in entry_points(group="tartip.commands"):
        addition.load()(app)
    return app


def new_tartip() -> App:
    """Return `tartip` without any command."""
    app = new_app("Tartip: cameras, violations, fines and citizens' reports, on this machine.")
    app.callback()(options)
    return app


def options(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Handle the options of `tartip` itself, which stand before a command, such as --version."""


def _register(app: App, module: str) -> None:
    import_module(f"tartip_cli.cli.{module}").register(app)
