"""Telling what a command does: numbered steps, each with its time, its trace and its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from chassis import telemetry
from opentelemetry.context import Context
from rich.table import Table
from rich.text import Text

from tartip_cli.client_traces import current_trace_id
from tartip_cli.console import console


@dataclass
class Step:
    number: int
    journey: str
    what: str
    result: str = ""
    reference: str = ""
    """A number or id that `tartip trace` takes."""
    trace_id: str = ""
    seconds: float = 0.0


class Teller:
    """`with teller.step(…) as step` times one step under a trace of its own."""

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
            console.print(
                f"[green]✓[/] {step.number:2}. {what}: {step.result}  "
                f"[dim]{step.seconds * 1000:,.0f} ms  tartip trace {step.trace_id}[/]",
                highlight=False, soft_wrap=True,
            )  # fmt: skip

    @contextmanager
    def _showing(self, text: str) -> Iterator[None]:
        if self._quiet:
            yield
            return
        with console.status(text):
            yield

    def table(self, title: str) -> Table:
        table = Table(title=title, title_justify="left", header_style="bold")
        table.add_column("", justify="right")
        for header in ("journey", "step", "what came of it"):
            table.add_column(header, overflow="fold")
        table.add_column("ms", justify="right")
        table.add_column("look at it: tartip trace …", overflow="fold", min_width=16)
        for step in self.steps:
            table.add_row(
                str(step.number), step.journey, step.what, Text(step.result),
                f"{step.seconds * 1000:,.0f}", Text(step.reference or step.trace_id),
            )  # fmt: skip
        return table

    def as_json(self) -> list[dict[str, object]]:
        return [{**asdict(step), "seconds": round(step.seconds, 3)} for step in self.steps]


def money(amount_minor: int, currency: str = "KZT") -> str:
    """12 975 → "129.75 KZT": tiyn as tenge."""
    whole, rest = divmod(amount_minor, 100)
    return f"{whole:,}".replace(",", " ") + f".{rest:02d} {currency}"


def counted(things: int, noun: str, *, plural: Callable[[str], str] = lambda n: n + "s") -> str:
    return f"{things} {noun if things == 1 else plural(noun)}"
