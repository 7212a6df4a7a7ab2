"""Replaces the keys of a mesh: those of the broker's users, and those that encrypt the data keys.

Both rotations may be interrupted at any moment. If they are run again, they continue. Running
services need no restart.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable

from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.parts.nats import NatsServer
from tartip_cli.parts.part import launched
from tartip_cli.settings import inherited_environment
from tartip_cli.supervisor.process import ProcessId
from tartip_cli.topology import service_named

_CHANGE_SECONDS = 60.0
_POLL_SECONDS = 0.5

Report = Callable[[str, int, int], None]


async def rotate_broker_keys(mesh: Mesh) -> int:
    """Give each user of the broker (NATS) a new key, and return the number of users.

    First, NATS accepts old and new keys. Then the services switch to the new ones. When no client
    uses an old key any more, NATS accepts only the new ones. If the mesh does not run, the new keys
    are used from its next start. Raises Failure if a client still uses an old key after a time
    limit, or if the broker is external.
    """
    server = mesh.nats_server
    if server is None:
        raise Failure(
            "the broker runs elsewhere (TARTIP_NATS_URL): its operator replaces its users' keys",
            Exit.USAGE,
        )
    users = tuple(mesh.streams.user_names)
    mesh.keys.make_next_seeds(users)
    await _reload(server)
    mesh.keys.adopt_next_seeds(users)
    await _until_unused(server, {mesh.keys.nats_public(user) for user in users})
    await _reload(server)
    mesh.keys.end_rotation()
    return len(users)


async def rotate_data_keys(
    mesh: Mesh, names: tuple[str, ...], *, settle_seconds: float, report: Report
) -> None:
    """Encrypt the data keys of the services `names` with new wrapping keys, all services in
    parallel.

    `report` is called repeatedly with "service: class of keys", the number of keys done and the
    total number. Each service then waits `settle_seconds` before it destroys its old wrapping keys,
    since earlier calls may still use them. Raises Failure if a service fails.
    """
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(_rotate_of(mesh, name, settle_seconds, report))


async def _rotate_of(mesh: Mesh, name: str, settle_seconds: float, report: Report) -> None:
    service = service_named(name)
    assert service.schema is not None
    command = (sys.executable, "-m", service.package, "rotate-keys", str(settle_seconds))
    # No log-in that runs the service may change a wrapped key, except to destroy it.
    owner = {"TARTIP_OWNER_DATABASE_URL": mesh.database.owner_url(service.schema)}
    process = await asyncio.create_subprocess_exec(
        *launched(command, user=None, death_signal=signal.SIGTERM),
        env={**inherited_environment(), **mesh.services.environment(service), **owner},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        async for line in process.stdout:
            told = json.loads(line)
            report(f"{name}: {told['key_class']}", told["done"], told["total"])
        errors = (await process.stderr.read()).decode(errors="replace").strip()
        if await process.wait() != 0:
            reason = errors.splitlines()[-1] if errors else "it wrote nothing"
            raise Failure(
                f"the data keys of {name} are not all wrapped anew: {reason}; nothing is lost, the "
                "same command goes on",
                Exit.PART_FAILED,
            )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _reload(server: NatsServer) -> None:
    """Write the configuration of NATS, and have it read by the server, if it runs."""
    await server.prepare()
    process = ProcessId.read(server.home.run / "nats.pid")
    if process is not None and process.alive():
        os.kill(process.pid, signal.SIGHUP)


async def _until_unused(server: NatsServer, current: set[str]) -> None:
    """Wait until nobody is connected to the broker with another key than these."""
    deadline = time.monotonic() + _CHANGE_SECONDS
    while True:
        try:
            others = await server.keys_in_use() - current
        except OSError:
            return  # it does not run
        if not others:
            return
        if time.monotonic() > deadline:
            raise Failure(
                f"after {_CHANGE_SECONDS:.0f} s {len(others)} connections to the broker still use "
                "an old key, and NATS accepts both: restart what holds them, then run the command "
                "again",
                Exit.PART_FAILED,
            )
        await asyncio.sleep(_POLL_SECONDS)
