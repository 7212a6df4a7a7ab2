"""A sandbox: a running mesh, and beside it its desk, its front for partners and its control."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chassis.clock import move_clock, system_clock
from chassis.settings import parse_offset

from tartip_cli.clients.partner import Outside
from tartip_cli.parts.mesh import Mesh
from tartip_cli.ports import LOOPBACK
from tartip_cli.sandbox.control import Control
from tartip_cli.sandbox.dispatcher import Dispatcher
from tartip_cli.sandbox.faults import Faults
from tartip_cli.sandbox.front import Front
from tartip_cli.sandbox.home import SandboxHome
from tartip_cli.sandbox.partners import TestPartner, admit
from tartip_cli.supervisor.http import serving_http
from tartip_cli.supervisor.supervisor import Supervisor
from tartip_cli.topology import CITIZEN_REPORTS, FINES


class Sandbox:
    """What runs beside the supervisor of a sandbox. `tell` gets a line for each step of the desk.

    The event `ready` is set once partners may call.
    """

    def __init__(
        self, supervisor: Supervisor, home: SandboxHome, tell: Callable[[str], None]
    ) -> None:
        self.ready = asyncio.Event()
        self._supervisor = supervisor
        self._home = home
        self._tell = tell
        self._moving = asyncio.Lock()
        self._partners: list[TestPartner] = []

    async def run(self) -> None:
        """Wait for the mesh, then serve partners and act on their reports until cancelled."""
        await self._supervisor.ready.wait()
        mesh, faults = self._supervisor.mesh, Faults()
        ports = mesh.ports
        front = Front(
            f"{LOOPBACK}:{ports.sandbox_reports}",
            ports.address(CITIZEN_REPORTS),
            mesh.certificates,
            faults,
        )
        outside = Outside(home=mesh.home, ports=ports, oidc_issuer=mesh.oidc_issuer)
        async with outside, front.serving():
            self._partners = await admit(outside, self._home)
            dispatcher = Dispatcher(outside, self._tell)
            control = Control(dispatcher, faults, self.description, self.move_clock)
            async with serving_http(control.app(), ports.sandbox_control):
                self.ready.set()
                await dispatcher.run()

    def description(self) -> dict[str, Any]:
        """Return addresses, certificates, partners and the time of the sandbox, as JSON."""
        mesh = self._supervisor.mesh
        ports = mesh.ports
        return {
            "sandbox": True,
            "reports": f"{LOOPBACK}:{ports.sandbox_reports}",
            "fines": ports.address(FINES),
            "control": f"http://{LOOPBACK}:{ports.sandbox_control}",
            "console": f"http://{LOOPBACK}:{ports.gateway}/",
            "ca": str(self._home.partners / "ca.pem"),
            "partners": [
                {
                    "name": partner.name,
                    "use": partner.use,
                    "certificate": str(partner.files.certificate),
                    "key": str(partner.files.key),
                }
                for partner in self._partners
            ],
            "home": str(mesh.home.path),
            "now": system_clock().isoformat(),
        }

    async def move_clock(self, by: dt.timedelta) -> None:
        """Move the clock of all services forward together, and wait until they are ready again.

        The services are stopped before the first of them starts with the new time. Streams and
        calls break, as when a new release is started. Raises ValueError unless `by` is forward, and
        all in all at most a hundred years.
        """
        async with self._moving:
            parse_offset(self._home.offset() + by)
            offset = self._home.move_clock(by)
            move_clock(offset)
            settings = replace(self._supervisor.mesh.settings, clock_offset=offset)
            self._tell(f"the clock moves to {system_clock():%Y-%m-%d %H:%M} UTC")
            await self._supervisor.restart_services(Mesh.build(settings))
