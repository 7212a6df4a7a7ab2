"""`tartip cameras export`: writes the cameras of the register into a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tartip_cli.cli.camera_sending import bar
from tartip_cli.cli.console import AsJson, console, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings, read_settings

if TYPE_CHECKING:
    from tartip.cameras.v1 import cameras_pb2 as pb

Filters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILTER]...",
        help="NAME=VALUE, of which all must hold: region=KZ-75, kind=anpr, function=plate, "
        "status=offline, called=<serial number or name>.",
    ),
]


def export_cameras(
    file: Annotated[
        Path, typer.Argument(help="The CSV or .parquet file to write; one that exists is replaced.")
    ],
    given: Filters = None,
    as_json: AsJson = False,
) -> None:
    """Write all cameras that are not retired and match the filters into a file. The format is
    Parquet if the file name ends in .parquet or .pq, otherwise CSV.

    The columns are those of `tartip cameras import`. If the unedited file is imported, nothing
    changes.
    """
    wanted = read_filters(given or [])
    number = asyncio.run(_export(read_settings(), file, wanted))
    if as_json:
        print_json({"exported": number, "file": str(file)})
    else:
        console.print(f"{number} cameras exported to {file}", highlight=False, markup=False)


def read_filters(given: list[str]) -> pb.ListCamerasRequest:
    """Convert filters such as "kind=anpr" into a request for the matching cameras. Raises Failure
    if a filter or its value is unknown."""
    from tartip.cameras.v1 import cameras_pb2 as pb

    wanted = pb.ListCamerasRequest()
    enums = {"kind": pb.CameraKind, "function": pb.AiFunction, "status": pb.CameraStatus}
    for each in given:
        name, is_pair, value = each.partition("=")
        if name in enums and is_pair:
            setattr(wanted, name, _number(name, value, enums[name]))
        elif name in ("region", "called") and value:
            setattr(wanted, "serial_or_name" if name == "called" else name, value)
        else:
            known = ", ".join(f"{known}=…" for known in ("region", *enums, "called"))
            raise Failure(f"no such filter: {each}; there are {known}", Exit.USAGE)
    return wanted


async def _export(settings: Settings, file: Path, wanted: pb.ListCamerasRequest) -> int:
    from tartip.cameras.v1 import cameras_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.clients.camera_export import write_csv
    from tartip_cli.clients.camera_list import each_camera, expected
    from tartip_cli.clients.camera_parquet import is_parquet, write_parquet
    from tartip_cli.topology import CAMERA_REGISTRY

    stub_of = cameras_pb2_grpc.CameraRegistryStub
    async with service_stub(settings, stub_of, CAMERA_REGISTRY) as stub:
        with bar() as progress:
            task = progress.add_task("cameras", total=await expected(stub, wanted))
            number = await (write_parquet if is_parquet(file) else write_csv)(
                file,
                each_camera(stub, wanted),
                after_each=lambda done: progress.update(task, completed=done),
            )
            progress.update(task, completed=number, total=number)
    return number


def _number(filtered: str, name: str, kinds: object) -> int:
    """The number of an enum's value. Raises Failure for an unknown name."""
    from tartip_cli.clients.camera_files import enum_values

    values = {key: value for key, value in enum_values(kinds).items() if key != "retired"}
    found = values.get(name.casefold())
    if found is None:
        raise Failure(f"{filtered}={name}: one of {', '.join(values)}", Exit.USAGE)
    return found
