"""`tartip fines`: operations on all issued fines."""

from __future__ import annotations

import typer

from tartip_cli.cli.console import App
from tartip_cli.cli.recheck import recheck
from tartip_cli.cli.redate import redate


def register(app: App) -> None:
    group = typer.Typer(help="Look at the fines that were issued.", no_args_is_help=True)
    group.callback()(_fines)
    group.command()(recheck)
    group.command()(redate)
    app.add_typer(group, name="fines")


def _fines() -> None:
    """Check and recompute issued fines."""
