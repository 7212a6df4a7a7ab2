"""`tartip up`, `down` and `migrate`: start the mesh on this machine, stop it, and bring its
database schemas up to date."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import typer
from chassis.clock import move_clock, real_clock
from law.zone import almaty_day
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.cli.requirements import require_machine, require_packages
from tartip_cli.cli.status import show_notices
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.settings import Settings, read_settings
from tartip_cli.supervisor.children import STOP_SECONDS, State
from tartip_cli.supervisor.client import ask_status
from tartip_cli.supervisor.lock import is_locked, running_mesh
from tartip_cli.supervisor.supervisor import Supervisor
from tartip_cli.topology import SERVICES

_DETACHED_START_SECONDS = 400.0
_DOWN_SECONDS = 3 * STOP_SECONDS
_STYLES = {
    State.READY: "green",
    State.DEGRADED: "yellow",
    State.UNREADY: "yellow",
    State.RESTARTING: "red",
}

Without = Annotated[
    list[str], typer.Option("--without", help="Leave a part out (for trials).", hidden=True)
]

Today = Annotated[
    dt.datetime | None,
    typer.Option(
        "--today",
        formats=["%Y-%m-%d"],
        help="Run as on this day in Almaty at the current time (TARTIP_CLOCK_OFFSET; for trials).",
    ),
]


def register(app: App) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(migrate)


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it is ready.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Once ready, run the demonstration, then stay up.")
    ] = False,
    today: Today = None,
    without: Without = [],  # noqa: B006 (Typer's way to say "none")
    as_json: AsJson = False,
) -> None:
    """Run the whole mesh on this machine until Ctrl-C, or in the background with --detach."""
    settings = _living_on(today, read_settings())
    require_machine()
    home = DataDir(settings.home)
    home.require_restored()
    home.require_no_sandbox()
    if detach:
        _detach(settings, without, as_json)
        return
    left_out = frozenset(without)
    if "services" in left_out:
        left_out |= {service.name for service in SERVICES}
    require_packages(tuple(s.package for s in SERVICES if s.name not in left_out))
    move_clock(settings.clock_offset)
    mesh = Mesh.build(settings, without=left_out)
    log_to(mesh.home)
    asyncio.run(_run(mesh, demo=demo, as_json=as_json))


def down(as_json: AsJson = False) -> None:
    """Stop the mesh that runs from the data folder of the settings, and wait until it has ended."""
    home = DataDir(read_settings().home)
    mesh = running_mesh(home)
    if mesh is None:
        raise Failure(f"no mesh runs from {home.path}", Exit.NOT_RUNNING)
    os.kill(mesh.pid, signal.SIGTERM)
    _wait("stopping", lambda: not is_locked(home), seconds=_DOWN_SECONDS)
    if as_json:
        print_json({"stopped": True})
    else:
        console.print("The mesh has stopped.")


def migrate(as_json: AsJson = False) -> None:
    """Bring the database schemas of all services up to date. The database must run; `tartip up`
    migrates the schemas by itself."""
    settings = read_settings()
    mesh = Mesh.build(settings)
    require_packages(tuple(service.package for service in SERVICES))
    if settings.database_url is None and running_mesh(mesh.home) is None:
        raise Failure(
            "the database does not run: `tartip up` starts it and migrates", Exit.NOT_RUNNING
        )
    asyncio.run(_migrate(mesh))
    names = mesh.migrated_services
    if as_json:
        print_json({"migrated": names})
    else:
        console.print(f"Migrated: {', '.join(names)}.")


async def _migrate(mesh: Mesh) -> None:
    await mesh.database.provision()
    for name in mesh.migrated_services:
        await mesh.migrate(name)


async def _run(mesh: Mesh, *, demo: bool, as_json: bool) -> None:
    states: dict[str, State] = {part.name: State.WAITING for part in mesh.parts}
    began = time.monotonic()
    if not console.is_terminal and not as_json:
        console.print("starting the mesh …")
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def show(name: str, state: State) -> None:
            states[name] = state
            live.update(states_table(states, time.monotonic() - began))

        supervisor = Supervisor(mesh, show)
        async with asyncio.TaskGroup() as group:
            reporting = group.create_task(
                _report_ready(supervisor, live, began, demo=demo, as_json=as_json)
            )
            await supervisor.run()
            reporting.cancel()
    if not as_json:
        console.print("The mesh has stopped.")


async def _report_ready(
    supervisor: Supervisor, live: Live, began: float, *, demo: bool, as_json: bool
) -> None:
    await supervisor.ready.wait()
    live.stop()
    mesh = supervisor.mesh
    seconds = time.monotonic() - began
    status = await asyncio.to_thread(supervisor.status)
    if as_json:
        print_json(status)
        return
    console.print(f"The mesh is ready after {seconds:.1f} s. Ctrl-C stops it.")
    for part in mesh.parts:
        console.print(f"  {part.name:18} {part.address}", highlight=False)
    console.print(f"  {'data and logs':18} {mesh.home.path}", highlight=False)
    show_notices(status)
    if demo:
        await _demonstrate()


async def _demonstrate() -> None:
    """Run `tartip demo` in a separate process; the mesh stays up whatever its result."""
    console.print(hint("\nThe demonstration (`tartip demo` runs it again):"), highlight=False)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tartip_cli", "demo")
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        raise
    if code == 0:
        console.print("The mesh stays up; Ctrl-C stops it.", highlight=False)
    else:
        console.print(
            hint(
                f"The demonstration ended with {code}; the mesh stays up, `tartip logs` says more."
            )
        )


def states_table(states: dict[str, State], seconds: float) -> Table:
    """Return the states of all parts and the time since the start, to be shown while they start."""
    table = Table.grid(padding=(0, 2))
    for name, state in states.items():
        table.add_row(name, Text(state, style=_STYLES.get(state, "dim")))
    table.add_row("", Text(f"{seconds:.0f} s", style="dim"))
    return table


def _living_on(today: dt.datetime | None, settings: Settings) -> Settings:
    if today is None:
        return settings
    offset = today.date() - almaty_day(real_clock())
    return replace(settings, clock_offset=offset).allowed()


def _detach(settings: Settings, without: list[str], as_json: bool) -> None:
    home = DataDir(settings.home)
    home.prepare()
    command = [sys.executable, "-m", "tartip_cli", "up"]
    for name in without:
        command += ["--without", name]
    log = home.log_of("up")
    log.unlink(missing_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "TARTIP_CLOCK_OFFSET": str(settings.clock_offset.total_seconds())},
        )

    def settled() -> bool:
        return process.poll() is not None or _is_ready(home, process.pid)

    _wait("starting", settled, seconds=_DETACHED_START_SECONDS)
    if process.returncode is not None:
        lines = log.read_text(errors="replace").strip().splitlines()
        message = lines[-1].removeprefix("tartip: ") if lines else "the supervisor ended"
        code = process.returncode
        raise Failure(message, Exit(code) if code in set(Exit) else Exit.UNEXPECTED)
    if as_json:
        print_json(ask_status(home))
    else:
        console.print(hint("The mesh is ready and runs in the background; `tartip down` stops it."))


def _is_ready(home: DataDir, pid: int) -> bool:
    """Whether the mesh of the supervisor with this pid runs from `home`, and is ready."""
    mesh = running_mesh(home)
    status = ask_status(home) if mesh is not None and mesh.pid == pid else None
    return status is not None and bool(status["ready"])


def _wait(what: str, condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with console.status(f"{what} …"):
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"still {what} after {seconds:.0f} s; see `tartip logs`")
            time.sleep(0.1)


def log_to(home: DataDir) -> None:
    """Write the log of this process, the supervisor, into the data folder."""
    logging.basicConfig(
        filename=home.log_of("supervisor"),
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for noisy in ("nats", "asyncio", "httpx"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
