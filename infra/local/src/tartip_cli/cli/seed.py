"""`tartip seed`: registers sample cameras and writes a register of made-up vehicles; `tartip seed
cameras` registers made-up cameras of a whole country."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tartip_cli.cli.console import App, AsJson, console, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings, read_settings

if TYPE_CHECKING:
    from tartip.cameras.v1 import cameras_pb2 as pb


def register(app: App) -> None:
    group = typer.Typer()
    group.callback(invoke_without_command=True)(seed)
    group.command()(cameras)
    app.add_typer(group, name="seed")


def seed(
    context: typer.Context,
    vehicles: Annotated[
        int, typer.Option("--vehicles", min=1, help="How many vehicles to make up.")
    ] = 2000,
    again: Annotated[
        bool, typer.Option("--again", help="Replace the vehicles if there are some.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register sample cameras and write the vehicle register; prints the cameras' ids.

    Can be repeated. Vehicles are replaced only with --again. Cameras keep their ids, but a retired
    or changed camera is replaced by a new one. `tartip ingest --camera ID` takes such an id.
    """
    if context.invoked_subcommand is None:
        asyncio.run(_seed(read_settings(), vehicles, again=again, as_json=as_json))


def cameras(
    count: Annotated[int, typer.Option("--count", min=1, help="How many cameras.")] = 15_000,
    seed: Annotated[int, typer.Option("--seed", help="Another number makes other cameras.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Register made-up cameras of the whole country, along streets and around sites. Regions with
    more people get more cameras.

    The same count and seed give the same cameras with the same ids, so the command can be repeated.
    After an interruption it resumes.
    """
    from tartip_cli.cli.camera_sending import send
    from tartip_cli.cli.cameras import report
    from tartip_cli.clients import country

    def rows() -> Iterator[pb.ImportedCamera]:
        return country.cameras(count, seed)

    result = asyncio.run(send(read_settings(), f"seed-{count}-{seed}", rows, total=count))
    report(result, [], as_json=as_json)


async def _seed(settings: Settings, count: int, *, again: bool, as_json: bool) -> None:
    from chassis.clock import system_clock
    from chassis.refusals import Refusal

    from tartip_cli.clients import samples
    from tartip_cli.clients.journeys import patiently
    from tartip_cli.clients.partner import outside
    from tartip_cli.provision import vehicles

    async with outside(settings) as mesh:
        path = samples.vehicles_path(mesh.home, settings.vehicles_file)
        if again or not path.exists():
            vehicles.write(path, vehicles.made_up(count))
        now = system_clock()
        with console.status("registering sample cameras …"):
            try:
                cameras, _ = await patiently(lambda: samples.registered(mesh, now=now))
            except Refusal as refusal:
                raise Failure(
                    f"refused, {refusal.reason}: {refusal.message.en}", Exit.REFUSED
                ) from refusal
    if as_json:
        listed = [{"camera_id": c.camera_id, "name": c.name, "kind": c.kind} for c in cameras]
        print_json({"cameras": listed, "vehicles": str(path)})
        return
    for camera in cameras:
        console.print(f"{camera.camera_id}  {camera.kind:12} {camera.name}", highlight=False)
    console.print(f"{sum(1 for _ in vehicles.read(path))} vehicles: {path}", highlight=False)
