"""The `tartip` command. The table `_MODULES` lists modules with the names of their commands.

Each of these modules has a function `register(app)`, which adds its commands. To add commands,
write a module and list it in `_MODULES`. A package outside `tartip_cli`, such as `tartip_bench`,
adds a command by an entry point in the group `tartip.commands`. The name of the entry point is the
name of the command.

Only the module of the command that was called is loaded. Loading all modules takes longer than most
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
    "sandbox": ("sandbox",),
    "status": ("status", "logs"),
    "trace": ("trace",),
    "demo": ("demo",),
    "ingest": ("ingest",),
    "functions": ("functions",),
    "streams": ("streams",),
    "fines": ("fines",),
    "partners": ("partners",),
    "revoking": ("officers", "devices"),
    "personnel": ("personnel",),
    "routing": ("routing",),
    "templates": ("templates",),
    "retention": ("retention",),
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
    """Run the command that is named in the arguments of this process."""
    called = sys.argv[1] if len(sys.argv) > 1 else ""
    app = new_tartip()
    for module, commands in _MODULES.items():
        if called in commands:
            _register(app, module)
            app()
    whole_app()()


def whole_app() -> App:
    """Return `tartip` with all commands, including those of other packages."""
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
