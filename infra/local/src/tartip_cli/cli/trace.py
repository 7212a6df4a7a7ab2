"""`tartip trace`: draws the spans of one case across all services as a waterfall. A case is
everything that one request or report caused."""

from __future__ import annotations

import re
from typing import Annotated

import typer
from rich.text import Text

from tartip_cli.cli.console import App, AsJson, console, print_json
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings
from tartip_cli.telemetry.spans import SpanFiles
from tartip_cli.telemetry.story import Story, find_story
from tartip_cli.telemetry.waterfall import lasting, waterfall

_REPORT = re.compile(r"[A-Z]{2}[0-9]{2}-[0-9]{4}-[0-9]{7}")
_NAMES = re.compile(r"[0-9]{15}|[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def register(app: App) -> None:
    app.command()(trace)


def trace(
    query: Annotated[
        str,
        typer.Argument(help="A trace id, event id, report number, fine number or violation id."),
    ],
    as_json: AsJson = False,
) -> None:
    """Draw the spans of a case across all services, from the first request to the last event."""
    settings = read_settings()
    files = SpanFiles(DataDir(settings.home).spans)
    if not files.files() and not settings.otlp_endpoint:
        raise Failure(
            "no mesh has run from this folder yet: start it with `tartip up`", Exit.NOT_RUNNING
        )
    query = _normal(query)
    with console.status("searching the spans …"):
        story = find_story(files, query)
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


def _normal(query: str) -> str:
    """The id or number as spelled in spans. Raises Failure for anything else."""
    text = query.strip()
    if _REPORT.fullmatch(text.upper()):
        return text.upper()
    if _NAMES.fullmatch(text.lower()):
        return text.lower()
    raise Failure(
        f"{query} is no number: a fine's has 15 digits, a report's looks like KZ75-2026-0000001, "
        "a violation's and an event's are UUIDs, a trace id has 32 hexadecimal digits",
        Exit.USAGE,
    )


def _draw(story: Story) -> None:
    failed = sum(span.error is not None for span in story.spans)
    refused = sum("tartip.refusal" in span.attributes for span in story.spans)
    console.print(
        f"[bold]{story.query}[/]  {len(story.spans)} spans, {len(story.services)} services, "
        f"{len(story.traces)} traces, {lasting(story.end_ns - story.start_ns)}"
        + (f", [yellow]{refused} refused[/]" if refused else "")
        + (f", [red]{failed} with errors[/]" if failed else ""),
        highlight=False,
        soft_wrap=True,
    )
    for piece in waterfall(story, console.width):
        console.print(piece, soft_wrap=isinstance(piece, Text))
