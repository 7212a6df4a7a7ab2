"""`tartip trace`: the waterfall of one story across the services that took part."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from tartip_cli.console import App, AsJson, console, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.home import Home
from tartip_cli.settings import read_settings
from tartip_cli.spans import SpanFiles
from tartip_cli.story import Story, find_story
from tartip_cli.waterfall import lasting, waterfall


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
    failed = sum(span.error is not None for span in story.spans)
    refused = sum("tartip.refusal" in span.attributes for span in story.spans)
    console.print(
        f"[bold]{story.query}[/]  {len(story.spans)} spans, {len(story.services)} services, "
        f"{len(story.traces)} traces, {lasting(story.end_ns - story.start_ns)}"
        + (f", [yellow]{refused} refused[/]" if refused else "")
        + (f", [red]{failed} with errors[/]" if failed else ""),
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    for piece in waterfall(story, console.width):
        console.print(piece, soft_wrap=isinstance(piece, Text))
