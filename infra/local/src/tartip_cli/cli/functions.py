"""`tartip functions`: shows or sets which functions analyse a camera's pictures, such as reading
plates or counting crowds. Input and output are JSON of the message `CameraFunctions`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings

if TYPE_CHECKING:
    from tartip.inference.v1 import functions_pb2 as pb

_SECONDS = 10.0

Camera = Annotated[str, typer.Option("--camera", "-c", help="Id of a registered camera.")]


def register(app: App) -> None:
    group = typer.Typer(
        help="What cameras are looked at for: zones, lines, crowds, …", no_args_is_help=True
    )
    group.command()(show)
    group.command(name="set")(set_functions)
    app.add_typer(group, name="functions")


def show(camera: Camera, as_json: AsJson = False) -> None:
    """Print which functions analyse a camera's pictures, as the JSON that `set` reads."""
    found = asyncio.run(_get(camera))
    functions = _as_json(found.functions)
    if as_json:
        print_json({"camera_id": camera, "version": found.version, "functions": functions})
        return
    console.print_json(json.dumps(functions, ensure_ascii=False))
    if not found.version:
        console.print(
            hint("Never configured: this is the default. `tartip functions set` changes it."),
            style="dim",
            highlight=False,
        )


def set_functions(
    camera: Camera,
    file: Annotated[
        Path, typer.Argument(help="JSON of tartip.inference.v1.CameraFunctions, or - for stdin.")
    ],
    version: Annotated[
        int, typer.Option("--version", help="Refuse if it is not this one any more.", min=-1)
    ] = -1,
    as_json: AsJson = False,
) -> None:
    """Replace all functions that analyse a camera's pictures by those in a JSON file."""
    functions = _read(file)
    new = asyncio.run(_set(camera, functions, version))
    if as_json:
        print_json({"camera_id": camera, "version": new})
    else:
        console.print(f"Configured; this is version {new}.", highlight=False)


async def _get(camera: str) -> pb.GetConfigurationResponse:
    async with _stub() as stub:
        return await _configuration(stub, camera)


async def _set(camera: str, functions: pb.CameraFunctions, version: int) -> int:
    from tartip.inference.v1 import functions_pb2 as pb

    async with _stub() as stub:
        if version < 0:
            version = (await _configuration(stub, camera)).version
        request = pb.ConfigureCameraRequest(camera_id=camera, version=version, functions=functions)
        answer: pb.ConfigureCameraResponse = await stub.ConfigureCamera(request, timeout=_SECONDS)
        return answer.version


async def _configuration(stub: Any, camera: str) -> pb.GetConfigurationResponse:
    from tartip.inference.v1 import functions_pb2 as pb

    request = pb.GetConfigurationRequest(camera_id=camera)
    answer: pb.GetConfigurationResponse = await stub.GetConfiguration(request, timeout=_SECONDS)
    return answer


def _stub() -> Any:
    from tartip.inference.v1 import functions_pb2_grpc

    from tartip_cli.cli.client import service_stub

    return service_stub(read_settings(), functions_pb2_grpc.FunctionsStub)


def _read(file: Path) -> pb.CameraFunctions:
    from google.protobuf import json_format
    from tartip.inference.v1 import functions_pb2 as pb

    try:
        content = sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read {file}: {error}", Exit.NOT_FOUND) from error
    try:
        return json_format.Parse(content, pb.CameraFunctions())
    except json_format.ParseError as error:
        raise Failure(f"{file} is no JSON of CameraFunctions: {error}", Exit.USAGE) from error


def _as_json(functions: pb.CameraFunctions) -> dict[str, Any]:
    from google.protobuf import json_format

    # Zeros too: a corner at the picture's edge would seem to have no place.
    message: dict[str, Any] = json_format.MessageToDict(
        functions, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return message
