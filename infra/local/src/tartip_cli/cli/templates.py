"""`tartip templates`: the texts from which reports are answered, in three languages."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings


def register(app: App) -> None:
    group = typer.Typer(
        help="The texts from which reports are answered, in three languages.", no_args_is_help=True
    )
    for command in (show, example, put):
        group.command()(command)
    app.add_typer(group, name="templates")


def show(as_json: AsJson = False) -> None:
    """Print the templates that can be used as YAML, which can be changed and put."""
    from tartip_cli.clients.templates_file import every_template, to_yaml

    async def ask() -> Any:
        async with _stub() as stub:
            return await every_template(stub)

    found = asyncio.run(ask())
    if as_json:
        print_json({"templates": [_shape(one) for one in found]})
    elif found:
        sys.stdout.write(to_yaml(found))
    else:
        console.print(
            hint("No template: `tartip templates example > templates.yaml` prints some to begin.")
        )


def example() -> None:
    """Print templates to begin with. Read them in all three languages before they are put."""
    from tartip_cli.clients.templates_file import EXAMPLE

    sys.stdout.write(EXAMPLE.read_text(encoding="utf-8"))


def put(
    file: Annotated[Path, typer.Argument(help="A YAML file as `tartip templates show` prints it.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log; nothing about a person.")],
    as_json: AsJson = False,
) -> None:
    """Store the templates of a file that are new or changed, each as its next version.

    One that is refused stops none of the others; the file can be sent again.
    """
    from tartip_cli.clients.templates_file import read_file, send

    templates = read_file(file)

    async def run() -> Any:
        async with _stub() as stub:
            with Progress(console=console, disable=as_json) as progress:
                task = progress.add_task("templates", total=len(templates))
                return await send(
                    stub, templates, reason, lambda done: progress.update(task, completed=done)
                )

    sent = asyncio.run(run())
    if as_json:
        print_json(vars(sent))
    else:
        console.print(f"{len(sent.stored)} stored, {len(sent.unchanged)} unchanged")
    if sent.refused:
        told = "\n".join(f"{name}: {why}" for name, why in sent.refused.items())
        raise Failure(f"{len(sent.refused)} refused:\n{told}", Exit.REFUSED)


@asynccontextmanager
async def _stub() -> AsyncIterator[Any]:
    from tartip.reports.v1 import answers_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.topology import CITIZEN_REPORTS

    async with service_stub(read_settings(), answers_pb2_grpc.AnswersStub, CITIZEN_REPORTS) as stub:
        yield stub


def _shape(message: Any) -> dict[str, object]:
    from google.protobuf.json_format import MessageToDict

    shape: dict[str, object] = MessageToDict(message, preserving_proto_field_name=True)
    return shape
