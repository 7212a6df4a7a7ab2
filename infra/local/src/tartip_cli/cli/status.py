"""`tartip status` and `tartip logs`: the state of all parts of the mesh, and their logs."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings
from tartip_cli.supervisor.client import ask_status
from tartip_cli.supervisor.logs import read_log
from tartip_cli.topology import SERVICES

_STYLES = {
    "ready": "green",
    "degraded": "yellow",
    "starting": "yellow",
    "unready": "yellow",
    "restarting": "red",
}


def register(app: App) -> None:
    app.command()(status)
    app.command()(logs)


def status(as_json: AsJson = False) -> None:
    """Show the state, address, process and memory of each part of the mesh, and warnings.

    A degraded part still serves, but has a problem that its callers will notice if it lasts. A
    degraded part counts as ready; the reason is shown. `restarts` counts the restarts of a part
    since the mesh was started.

    There is a warning in each of these cases: the disk is nearly full; the mesh's clock is moved to
    another day; a year's working calendar or base values (the monthly calculation index) are
    missing or only assumed; less than a third of a certificate's life is left.

    Memory (`rss_bytes`) is the proportional set size of the part's process tree: a page that n
    processes share counts as 1/n in each. Exit code 0 if all is ready, 9 if not.
    """
    answer = ask_status(DataDir(read_settings().home))
    found = answer or {"ready": False, "parts": []}
    if as_json:
        print_json(found)
    elif answer is None:
        console.print(hint("The mesh does not run; `tartip up` starts it."))
    else:
        console.print(_table(found))
        _show_reasons(found)
        _show_certificates(found)
        show_notices(found)
    if not found["ready"]:
        raise typer.Exit(Exit.NOT_RUNNING)


def _show_reasons(status_: dict[str, Any]) -> None:
    """Print why parts are not ready or degraded, and why they were last restarted."""
    for part in status_["parts"]:
        for reason in part["reasons"]:
            console.print(f"{part['name']}: {reason}", style="yellow", highlight=False)
        if part["restart_reason"]:
            text = f"{part['name']} was restarted: {part['restart_reason']}"
            console.print(text, style="dim", highlight=False)


def _show_certificates(status_: dict[str, Any]) -> None:
    """Print which certificate ends first; those that end soon are among the notices."""
    known = [each for each in status_.get("certificates", []) if each["ends"]]
    if known:
        first = min(known, key=lambda each: str(each["ends"]))
        console.print(
            f"{len(known)} certificates; the first to end is that of {first['name']}, "
            f"in {first['days_left']:.1f} days",
            highlight=False,
        )


def show_notices(status_: dict[str, Any]) -> None:
    for notice in status_.get("notices", []):
        console.print(notice["text"], style="bold red", highlight=False)


def logs(
    part: Annotated[str, typer.Argument(help="The name of a part.")] = ("supervisor"),
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines from the end.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Continue with new lines.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the log of a part.

    With --json, print one object per line, {"part", "line"}. "line" is an object for services,
    otherwise text.
    """
    home = DataDir(read_settings().home)
    path = home.log_of(part)
    if not path.is_file():
        known = sorted(file.stem for file in home.logs.glob("*.log"))
        if not known:
            raise Failure(
                "no mesh has run from this folder yet: start it with `tartip up`", Exit.NOT_RUNNING
            )
        raise Failure(f"no log of {part}; there are: {', '.join(known)}", Exit.NOT_FOUND)
    for line in read_log(path, count=lines, follow=follow):
        if as_json:
            print_json({"part": part, "line": _content(line.rstrip("\n"))})
        else:
            typer.echo(line, nl=False)


def _content(line: str) -> object:
    """The parsed line if it is JSON, else the text."""
    try:
        return json.loads(line) if line.startswith("{") else line
    except ValueError:
        return line


def _table(status_: dict[str, Any]) -> Table:
    table = Table(title="ready" if status_["ready"] else "not ready", title_justify="left")
    for column in ("part", "state", "address", "pid"):
        table.add_column(column, no_wrap=True)
    for column in ("memory", "restarts"):
        table.add_column(column, justify="right")
    for part in status_["parts"]:
        style = _STYLES.get(part["state"], "dim")
        table.add_row(
            part["name"],
            f"[{style}]{part['state']}[/]",
            part["address"],
            str(part["pid"] or ""),
            f"{part['rss_bytes'] / 2**20:.0f} MiB" if part["rss_bytes"] else "",
            str(part["restarts"] or ""),
        )
    python = [s.name for s in SERVICES]
    total = sum(p["rss_bytes"] for p in status_["parts"] if p["name"] in python)
    table.caption = f"services together: {total / 2**20:.0f} MiB"
    return table
