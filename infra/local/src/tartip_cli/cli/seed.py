"""`tartip seed`: registers sample cameras and writes a register of made-up vehicles."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from tartip_cli.cli.console import App, AsJson, console, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import Settings, read_settings


def register(app: App) -> None:
    app.command()(seed)


def seed(
    vehicles: Annotated[
        int, typer.Option("--vehicles", min=1, help="How many vehicles to make up.")
    ] = 2000,
    again: Annotated[
        bool, typer.Option("--again", help="Replace the vehicles if there are some.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register sample cameras and write the vehicle register; prints the cameras' ids.

    Can be repeated: vehicles stay, except with --again, and cameras keep their ids, except that a
    retired or changed one is replaced. The ids are for `tartip ingest FILE --camera ID`.
    """
    settings = read_settings()
    asyncio.run(_seed(settings, vehicles, again=again, as_json=as_json))


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
