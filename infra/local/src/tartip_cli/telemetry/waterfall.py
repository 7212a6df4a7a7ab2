"""Draws a story (the traces of one case) as waterfall charts, one for each stretch of a trace.

A trace is split into stretches wherever nothing happens for ten seconds, since days may pass
between a fine and its payment. Each stretch has its own time axis, and states when in the story it
began.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from tartip_cli.telemetry.spans import Span
from tartip_cli.telemetry.story import Story

PAUSE_NS = 10_000_000_000
"""A pause in a trace this long starts a new stretch."""
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green")
_MAX_DEPTH = 12
_OFFSET_CELLS, _DURATION_CELLS = 8, 8
_OPERATION_CELLS, _BAR_CELLS = 16, (10, 30)
"""The least width, and for the bar also the greatest."""
_TRACE_ID_SHOWN = 8
_UNITS = (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1))


@dataclass(frozen=True)
class Stretch:
    """Consecutive spans of one trace, without a long pause between them."""

    trace_id: str
    spans: tuple[Span, ...]
    goes_on: bool
    """Whether the trace has an earlier stretch."""

    @property
    def start_ns(self) -> int:
        return self.spans[0].start_ns

    @property
    def length_ns(self) -> int:
        return max(span.end_ns for span in self.spans) - self.start_ns

    @property
    def links(self) -> list[str]:
        """The ids of the other traces that this stretch's spans link to."""
        linked = dict.fromkeys(link for span in self.spans for link in span.links)
        return [link for link in linked if link != self.trace_id]


@dataclass(frozen=True)
class Layout:
    """The widths in characters of the columns of a stretch's table. All tables of a story have the
    same widths."""

    service: int
    operation: int
    bar: int
    verdict: int

    @classmethod
    def of(cls, story: Story, width: int) -> Layout:
        service = max(len("service"), *(len(name) for name in story.services))
        spare = (
            width - service - _OFFSET_CELLS - _DURATION_CELLS - 4
        )  # a space after each but the last
        longest = max(len(verdict_of(span)) for span in story.spans)
        verdict = min(longest, spare - _OPERATION_CELLS - _BAR_CELLS[0] - 1, spare * 2 // 5)
        spare -= verdict + bool(verdict)
        bar = min(max(spare // 3, _BAR_CELLS[0]), _BAR_CELLS[1])
        return cls(service, max(spare - bar, _OPERATION_CELLS), bar, verdict)


def stretches(story: Story) -> list[Stretch]:
    """Split the traces of a story at long pauses. Returns the stretches, ordered by start."""
    by_trace: dict[str, list[Span]] = {}
    for span in story.spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    found = [stretch for spans in by_trace.values() for stretch in _stretches_of(spans)]
    return sorted(found, key=lambda stretch: stretch.start_ns)


def waterfall(story: Story, width: int) -> Iterator[Text | Table]:
    """Yield a headline and a table for each stretch of the story, to print with Rich.

    `width` is the width of the terminal in characters.
    """
    layout = Layout.of(story, width)
    colours = dict(zip(story.services, itertools.cycle(_COLOURS), strict=False))
    for number, stretch in enumerate(stretches(story)):
        yield _headline(stretch, story)
        table = _table(layout, headed=number == 0)
        for depth, span in _tree(stretch.spans):
            table.add_row(*_row(span, depth, stretch, layout, colours[span.service]))
        yield table


def verdict_of(span: Span) -> str:
    """Return why a span failed: the reason of the refusal, or else the error. The result is "" if
    the span did not fail."""
    refusal = span.attributes.get("tartip.refusal")
    return str(refusal or span.error or "")


def lasting(length_ns: int) -> str:
    """A duration in nanoseconds as text: "3.7 s", or "4 min 12 s" if it is a minute or longer."""
    seconds = length_ns / 1e9
    if seconds < 60:
        return f"{seconds:.1f} s"
    unit, size, part, part_size = next(step for step in _UNITS if seconds >= step[1])
    whole, rest = divmod(int(seconds), size)
    return f"{whole} {unit} {rest // part_size} {part}"


def _stretches_of(spans: Iterable[Span]) -> Iterator[Stretch]:
    """The stretches of one trace, whose spans are ordered by start."""
    gathered: list[Span] = []
    end_ns, goes_on = 0, False
    for span in spans:
        if gathered and span.start_ns - end_ns > PAUSE_NS:
            yield Stretch(span.trace_id, tuple(gathered), goes_on)
            gathered, goes_on = [], True
        gathered.append(span)
        end_ns = max(end_ns, span.end_ns)
    if gathered:
        yield Stretch(gathered[0].trace_id, tuple(gathered), goes_on)


def _headline(stretch: Stretch, story: Story) -> Text:
    headline = f"trace {stretch.trace_id}" + (" goes on" if stretch.goes_on else "")
    headline += f"  + {lasting(stretch.start_ns - story.start_ns)}"
    headline += f", {stretch.length_ns / 1e6:,.0f} ms"
    follows = [link for link in stretch.links if link in story.traces]
    if follows:
        headline += ", follows " + ", ".join(link[:_TRACE_ID_SHOWN] for link in follows)
    return Text(headline, style="dim")


def _table(layout: Layout, *, headed: bool) -> Table:
    table = Table(
        box=None, padding=(0, 1, 0, 0), header_style="dim", show_header=headed, pad_edge=False
    )
    for header, width in (
        ("service", layout.service),
        ("operation", layout.operation),
        ("at ms", _OFFSET_CELLS),
        ("ms", _DURATION_CELLS),
        ("", layout.bar),
    ):
        table.add_column(
            header,
            width=width,
            justify="right" if header.endswith("ms") else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    if layout.verdict:
        table.add_column("", width=layout.verdict, overflow="fold")
    return table


def _row(span: Span, depth: int, stretch: Stretch, layout: Layout, colour: str) -> tuple[Text, ...]:
    failed = span.error is not None
    style = "red" if failed else ""
    cells = (
        Text(span.service, style=colour),
        Text("  " * min(depth, _MAX_DEPTH) + _operation(span), style=style),
        Text(f"{(span.start_ns - stretch.start_ns) / 1e6:,.1f}"),
        Text(f"{span.duration_ms:,.1f}", style=style),
        _bar(span, stretch, layout.bar, "red" if failed else colour),
    )
    verdict = Text(verdict_of(span), style="red" if failed else "yellow")
    return (*cells, verdict) if layout.verdict else cells


def _operation(span: Span) -> str:
    """The operation to display: `Fines/GetFine` for `tartip.fines.v1.Fines/GetFine`."""
    package, dot, method = span.name.rpartition(".v1.")
    return method if dot and package.startswith("tartip.") and "/" in method else span.name


def _bar(span: Span, stretch: Stretch, cells: int, colour: str) -> Text:
    total = max(stretch.length_ns, 1)
    begin = min(int((span.start_ns - stretch.start_ns) * cells / total), cells - 1)
    length = max(1, round((span.end_ns - span.start_ns) * cells / total))
    return Text(" " * begin + "█" * min(length, cells - begin), style=colour)


def _tree(spans: Iterable[Span]) -> list[tuple[int, Span]]:
    """Spans with their depth: children below parents, ordered by start; orphans at the top."""
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
