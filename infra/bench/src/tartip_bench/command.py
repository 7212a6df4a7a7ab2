"""`tartip bench`: measures Tartip's services on a mesh of their own and writes docs/BENCH.md."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.status import Status
from rich.table import Table
from rich.text import Text
from tartip_cli.cli.console import App, AsJson, console, errors, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings, read_settings

if TYPE_CHECKING:
    from tartip_bench.outcomes import Outcome
    from tartip_bench.run import Run

    Measure = Callable[[Run], Awaitable[Outcome]]

PARTS = (
    "chassis",
    "gateway",
    "apps",
    "reports",
    "fairness",
    "register",
    "pictures",
    "detector",
    "overload",
    "growth",
    "takeover",
    "search",
    "cameras",
)


def register(app: App) -> None:
    app.command()(bench)


def bench(
    only: Annotated[
        list[str], typer.Option("--only", help=f"One part: {', '.join(PARTS)}; may be repeated.")
    ] = [],  # noqa: B006 (Typer's way to say "none")
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Shorter and fewer measurements; about nine minutes in all."),
    ] = False,
    write: Annotated[
        bool,
        typer.Option("--write/--no-write", help="Write their sections of docs/BENCH.md."),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Measure speed, memory and endurance, and compare them with the bare libraries.

    The command starts and stops its own mesh in a scratch folder; do not use the machine meanwhile.
    It fails if a query of the camera register scans a table or reads too many rows per row of its
    answer. Photographs are taken from the folder TARTIP_PHOTOGRAPHS if this variable is set.
    """
    unknown = [name for name in only if name not in PARTS]
    if unknown:
        raise Failure(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}", Exit.USAGE)
    chosen = [name for name in PARTS if name in only or not only]
    settings = read_settings()
    outcomes = asyncio.run(_run(settings, chosen, quick=quick, as_json=as_json))
    if write:
        from tartip_bench.report import written

        path = written(outcomes, settings.checkout, quick=quick, order=PARTS)
        if not as_json:
            console.print(f"Written to {path}.", highlight=False)
    if broken := [line for outcome in outcomes for line in outcome.broken]:
        raise Failure("; ".join(broken), Exit.PART_FAILED)


async def _run(
    settings: Settings, chosen: list[str], *, quick: bool, as_json: bool
) -> list[Outcome]:
    from tartip_bench.run import running

    outcomes = []
    with errors.status("bench") as status:
        progress = _Progress(status)
        async with running(
            quick=quick, report=progress.report, photographs=settings.photographs
        ) as run:
            for name in chosen:
                progress.part = name
                began = time.monotonic()
                outcome = await _outcome(run, name)
                outcome = outcome.took(time.monotonic() - began)
                outcomes.append(outcome)
                if as_json:
                    print_json(outcome.as_json())
                else:
                    console.print(table(outcome))
    return outcomes


class _Progress:
    """Progress: one changing line on a terminal, one line per step elsewhere."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._began = time.monotonic()
        self.part = ""

    def report(self, what: str) -> None:
        line = f"{time.monotonic() - self._began:5.0f} s  {self.part}: {what}"
        self._status.update(line)
        if not errors.is_terminal:
            errors.print(line, highlight=False)


async def _outcome(run: Run, name: str) -> Outcome:
    """Measure one part; an error becomes its outcome and the others continue."""
    from tartip_bench.outcomes import FAILURES, Outcome, unmeasured

    try:
        return await _measure(name)(run)
    except FAILURES as error:
        missed = unmeasured("measured", error)
        return Outcome(part=name, title=f"{name}: could not be measured", figures=(missed,))


def _measure(name: str) -> Measure:
    """The measurement of a part, imported on demand: other commands do not need NumPy."""
    import importlib

    measure: Measure = importlib.import_module(f"tartip_bench.{name}").measure
    return measure


def table(outcome: Outcome) -> Table:
    """Return the figures of an outcome as a table for the terminal."""
    shown = Table(title=f"{outcome.title} ({outcome.seconds:.0f} s)", title_justify="left")
    for header in ("figure", "measured", "bare", "target", ""):
        shown.add_column(header, overflow="fold")
    for figure in outcome.figures:
        verdict = {True: Text("met", "green"), False: Text("missed", "red"), None: Text("")}
        shown.add_row(figure.name, figure.measured, figure.bare, figure.target, verdict[figure.met])
    for note in outcome.notes:
        shown.add_row(Text(note, style="dim"))
    return shown
