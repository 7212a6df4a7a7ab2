"""Prints the steps of a command, each with its number, time, trace and result."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from chassis import telemetry
from opentelemetry.context import Context
from rich.table import Table
from rich.text import Text

from tartip_cli.cli.console import console
from tartip_cli.clients.traces import current_trace_id

_LONGEST_ID = 36
"""The length of a UUID; trace ids and numbers are shorter."""
_ROOMY_CELLS = 110


@dataclass
class Step:
    number: int
    journey: str
    what: str
    result: str = ""
    reference: str = ""
    """A number or id that can be passed to `tartip trace`."""
    trace_id: str = ""
    seconds: float = 0.0


class StepReporter:
    """Numbers, times and prints the steps of a command. Each block `with reporter.step(…) as step`
    is one step and has its own trace."""

    def __init__(self, *, quiet: bool) -> None:
        self.steps: list[Step] = []
        self._quiet = quiet

    @contextmanager
    def step(self, journey: str, what: str) -> Iterator[Step]:
        step = Step(len(self.steps) + 1, journey, what)
        began = time.monotonic()
        with telemetry.span(f"demo: {what}", parent=Context()):
            step.trace_id = current_trace_id()
            with self._showing(f"{step.number:2}. {what} …"):
                yield step
        step.seconds = time.monotonic() - began
        self.steps.append(step)
        if not self._quiet:
            console.print(_row(step))

    @contextmanager
    def _showing(self, text: str) -> Iterator[None]:
        if self._quiet:
            yield
            return
        with console.status(text):
            yield

    def table(self, title: str, *, width: int) -> Table:
        """Return a table with one row per step. `width` is the width of the terminal in characters.
        If the terminal is too narrow, the column of results is left out. Ids never wrap."""
        has_room = width >= _ROOMY_CELLS
        table = Table(
            title=title, title_justify="left", header_style="bold", box=None, padding=(0, 1, 0, 0)
        )
        table.add_column("", justify="right", no_wrap=True)
        table.add_column("step", overflow="fold")
        if has_room:
            table.add_column("result", overflow="fold")
        table.add_column("ms", justify="right", no_wrap=True)
        table.add_column("tartip trace …", no_wrap=True, min_width=_LONGEST_ID)
        for journey, steps in itertools.groupby(self.steps, key=lambda step: step.journey):
            table.add_row("", Text(journey, style="bold"))
            for step in steps:
                result = [Text(step.result)] if has_room else []
                table.add_row(
                    str(step.number),
                    step.what,
                    *result,
                    _milliseconds(step),
                    Text(step.reference or step.trace_id),
                )
        return table

    def as_json(self) -> list[dict[str, object]]:
        return [{**asdict(step), "seconds": round(step.seconds, 3)} for step in self.steps]


def _row(step: Step) -> Table:
    """A finished step as a table row; results wrap, trace ids do not."""
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(no_wrap=True)
    row.add_column(overflow="fold")
    trace = Text(f"{_milliseconds(step)} ms  tartip trace {step.trace_id}", style="dim")
    row.add_row(
        Text.assemble(("✓", "green"), f" {step.number:2}."),
        Text.assemble(f"{step.what}: {step.result}\n", trace),
    )
    return row


def _milliseconds(step: Step) -> str:
    return f"{step.seconds * 1000:,.0f}"


def money(amount_minor: int, currency: str = "KZT") -> str:
    """Return an amount in tiyn as text in tenge with its currency: 1297500 as "12 975.00 KZT"."""
    whole, rest = divmod(amount_minor, 100)
    return f"{whole:,}".replace(",", " ") + f".{rest:02d} {currency}"


def counted(things: int, noun: str, *, plural: Callable[[str], str] = lambda n: n + "s") -> str:
    return f"{things} {noun if things == 1 else plural(noun)}"
