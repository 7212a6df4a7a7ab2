"""`tartip trace`: the waterfall of one story across the services that took part."""

from __future__ import annotations

import itertools
import re
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tartip_cli.console import App, AsJson, console, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.home import Home
from tartip_cli.settings import read_settings
from tartip_cli.spans import Span, SpanFiles
from tartip_cli.story import Story, find_story

_BAR_CELLS = 30
_PACKAGE = re.compile(r"\btartip\.[a-z]+\.v1\.(?=[A-Z])")
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green")
_MAX_DEPTH = 12


def register(app: App) -> None:
    app.command()(trace)


def trace(
    query: Annotated[
        str, typer.Argument(help="A trace id, report number, fine number or violation id.")
    ],
    as_json: AsJson = False,
) -> None:
    """Draw what happened, across all services, from the first request to the last event."""
    settings = read_settings()
    with console.status("looking through the spans …"):
        story = find_story(SpanFiles(Home(settings.home).spans), query)
    if story is None:
        where = (
            f"the collector at {settings.otlp_endpoint} has the spans"
            if settings.otlp_endpoint
            else "spans arrive some seconds after the fact, and old ones are removed"
        )
        raise Failure(f"no span names {query}; {where}", Exit.NOT_FOUND)
    if as_json:
        print_json(story.as_json())
    else:
        _draw(story)


def _draw(story: Story) -> None:
    colours = dict(zip(story.services, itertools.cycle(_COLOURS), strict=False))
    failed = sum(span.error is not None for span in story.spans)
    total_ms = (story.end_ns - story.start_ns) / 1e6
    console.print(
        f"[bold]{story.query}[/]  {len(story.spans)} spans, {len(story.services)} services, "
        f"{len(story.traces)} traces, {total_ms:,.0f} ms"
        + (f", [red]{failed} with errors[/]" if failed else ""),
        highlight=False,
    )
    for trace_id in story.traces:
        console.print(f"[dim]trace {trace_id}[/]", highlight=False)
        table = _table(headed=trace_id == story.traces[0])
        for depth, span in _tree([span for span in story.spans if span.trace_id == trace_id]):
            table.add_row(*_row(span, depth, story, colours[span.service]))
        console.print(table)


def _table(*, headed: bool) -> Table:
    """The same widths for every trace, so that all bars are on one scale."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", show_header=headed)
    widths = {"service": 17, "operation": 0, "offset ms": 10, "ms": 9, "": _BAR_CELLS}
    spare = console.width - sum(widths.values()) - len(widths)
    for header, width in widths.items():
        table.add_column(
            header,
            width=width or max(spare, 20),
            justify="right" if header.endswith("ms") else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _row(span: Span, depth: int, story: Story, colour: str) -> tuple[Text, ...]:
    style = "red" if span.error is not None else ""
    told = f"  ✗ {span.error}" if span.error is not None else ""
    return (
        Text(span.service, style=colour),
        Text("  " * min(depth, _MAX_DEPTH) + _PACKAGE.sub("", span.name) + told, style=style),
        Text(f"{(span.start_ns - story.start_ns) / 1e6:,.1f}"),
        Text(f"{span.duration_ms:,.1f}", style=style),
        _bar(span, story, "red" if span.error is not None else colour),
    )


def _bar(span: Span, story: Story, colour: str) -> Text:
    total = max(story.end_ns - story.start_ns, 1)
    begin = int((span.start_ns - story.start_ns) * _BAR_CELLS / total)
    length = max(1, round((span.end_ns - span.start_ns) * _BAR_CELLS / total))
    begin = min(begin, _BAR_CELLS - 1)
    return Text(" " * begin + "█" * min(length, _BAR_CELLS - begin), style=colour)


def _tree(spans: list[Span]) -> list[tuple[int, Span]]:
    """Children under their parents, each level in order of start; orphans stand at the top."""
    ids = {span.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent_id if span.parent_id in ids else "", []).append(span)
    found: list[tuple[int, Span]] = []
    waiting = [(0, span) for span in reversed(children.get("", []))]
    while waiting:
        depth, span = waiting.pop()
        found.append((depth, span))
        waiting += [(depth + 1, child) for child in reversed(children.get(span.span_id, []))]
    return found
