"""`tartip sandbox`: a mesh for engineers of partners to try their apps on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.live import Live

from tartip_cli.cli.console import App, AsJson, console, print_json
from tartip_cli.cli.requirements import require_machine, require_packages
from tartip_cli.settings import Settings, read_sandbox_settings
from tartip_cli.topology import SERVICES

if TYPE_CHECKING:
    from tartip_cli.sandbox.home import SandboxHome
    from tartip_cli.sandbox.sandbox import Sandbox
    from tartip_cli.supervisor.children import State


def register(app: App) -> None:
    app.command()(sandbox)


def sandbox(as_json: AsJson = False) -> None:
    """Run a sandbox for engineers of banks and apps, until Ctrl-C: a whole mesh with test partners,
    a desk that acts by itself, faults on request, and a clock that can be moved forward.

    Nothing in it is real. docs/partners.md is its guide. With --json, one line is printed once it
    is ready, and one for each step of the desk.
    """
    from chassis.clock import move_clock

    from tartip_cli.sandbox.home import SandboxHome

    settings = read_sandbox_settings()
    require_machine()
    require_packages(tuple(service.package for service in SERVICES))
    home = SandboxHome(settings.home)
    home.claim()
    settings = replace(settings, clock_offset=home.offset()).allowed()
    move_clock(settings.clock_offset)
    asyncio.run(_run(settings, home, as_json=as_json))


async def _run(settings: Settings, home: SandboxHome, *, as_json: bool) -> None:
    from tartip_cli.cli.up import log_to, states_table
    from tartip_cli.parts.mesh import Mesh
    from tartip_cli.ports import require_free
    from tartip_cli.sandbox.sandbox import Sandbox
    from tartip_cli.supervisor.children import State
    from tartip_cli.supervisor.supervisor import Supervisor

    mesh = Mesh.build(settings)
    log_to(mesh.home)
    require_free(mesh.ports.sandbox_reports, "the sandbox's reports")
    require_free(mesh.ports.sandbox_control, "the sandbox's control")
    states: dict[str, State] = {part.name: State.WAITING for part in mesh.parts}
    began = time.monotonic()
    if not as_json:
        console.print("SANDBOX: nothing in it is real. Starting …")
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def show(name: str, state: State) -> None:
            states[name] = state
            live.update(states_table(states, time.monotonic() - began))

        def tell(line: str) -> None:
            if as_json:
                print_json({"told": line})
            else:
                console.print(line, highlight=False)

        supervisor = Supervisor(mesh, show)
        beside = Sandbox(supervisor, home, tell)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(beside.run()),
                group.create_task(_report_ready(beside, live, as_json=as_json)),
            ]
            await supervisor.run()
            for task in tasks:
                task.cancel()
    if not as_json:
        console.print("The sandbox has stopped; `tartip sandbox` goes on with its data.")


async def _report_ready(sandbox: Sandbox, live: Live, *, as_json: bool) -> None:
    await sandbox.ready.wait()
    live.stop()
    told = sandbox.description()
    if as_json:
        print_json(told)
        return
    console.print("SANDBOX is ready: nothing in it is real. Ctrl-C stops it.\n", style="bold")
    folder = Path(told["ca"]).parent
    lines = [(name, told[name]) for name in ("reports", "fines", "control", "console")]
    lines += [("certificates", f"{folder}/<partner>.pem and .key, {told['ca']}")]
    lines += [("data", told["home"]), ("clock", told["now"]), ("", "")]
    lines += [(partner["name"], partner["use"]) for partner in told["partners"]]
    for name, text in lines:
        console.print(f"  {name:20} {text}", highlight=False, soft_wrap=True)
    console.print("\nThe guide is docs/partners.md. What the desk does:", highlight=False)
