"""Runs a mesh, or PostgreSQL and NATS alone, for tests. All of it stops when the test process
ends."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tartip_cli.data_dir import DataDir
from tartip_cli.ports import LOOPBACK, Ports, free_base
from tartip_cli.settings import find_checkout, inherited_environment, read_settings
from tartip_cli.supervisor.client import ask_status
from tartip_cli.telemetry.spans import SpanFiles
from tartip_cli.telemetry.story import Story, find_story
from tartip_cli.topology import COMMAND_LINE, SERVICES, service_named

if TYPE_CHECKING:  # unit tests load this module too and should not import gRPC and NATS
    from nats.aio.client import Client
    from tartip_cli.parts.mesh import Mesh
    from tartip_cli.provision.certificates import Certificates
    from tartip_cli.provision.keys import Keys
    from tartip_cli.provision.roles import Database

_READY_SECONDS = 300.0
_STOP_SECONDS = 120.0
_SERVICE_NAMES = tuple(service.name for service in SERVICES)


@dataclass(frozen=True, kw_only=True)
class RunningTestMesh:
    """A running mesh, or only its PostgreSQL and NATS. The methods inspect it, kill its parts and
    wait for it."""

    home: DataDir
    ports: Ports
    description: Mesh
    supervisor: subprocess.Popen[bytes]

    @property
    def certificates(self) -> Certificates:
        return self.description.certificates

    @property
    def keys(self) -> Keys:
        return self.description.keys

    @property
    def database(self) -> Database:
        """The mesh's PostgreSQL database, with a connection URL for each purpose.

        Each method that returns a URL takes the schema of a service. A service answers calls with
        `runtime_url`, handles events and does background work with `work_url`, and signs its audit
        log with `seal_url`. Migrations use `owner_url`. The property `url` is for the role that
        creates the other roles and the schemas.
        """
        return self.description.database

    @property
    def nats_url(self) -> str:
        return self.description.services.addresses.nats

    @property
    def gateway_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.gateway}"

    @property
    def oidc_issuer(self) -> str:
        return self.description.oidc_issuer

    def environment(self, service: str) -> dict[str, str]:
        """The environment variables with which the supervisor starts this service."""
        return self.description.services.environment(service_named(service))

    def owner_environment(self, service: str) -> dict[str, str]:
        """The environment variables for `python -m <service> migrate`.

        These are the variables of the service, and the database URL of the role that owns its
        schema.
        """
        schema = service_named(service).schema
        assert schema is not None
        url = self.database.owner_url(schema)
        return {**self.environment(service), "TARTIP_OWNER_DATABASE_URL": url}

    def address(self, service: str) -> str:
        return self.ports.address(service_named(service))

    def token(self, operator: str) -> str:
        """Return a new access token for this operator from the development token issuer."""
        form = urllib.parse.urlencode({"operator": operator}).encode()
        with urllib.request.urlopen(f"{self.oidc_issuer}/token", data=form, timeout=10) as answer:
            return str(json.load(answer)["access_token"])

    async def nats_client(self, user: str, **options: Any) -> Client:
        """Return a client connected to NATS as `user`. `options` are passed to `nats.connect`."""
        from tartip_cli.provision.broker import connect

        certificate = user if user in _SERVICE_NAMES else COMMAND_LINE
        return await connect(
            self.nats_url,
            user=user,
            seed=self.keys.nats_seed(user),
            pair=self.certificates.service(certificate),
            authority=self.description.settings.nats_ca or self.certificates.authority,
            **options,
        )

    def status(self) -> dict[str, Any]:
        return ask_status(self.home) or {"ready": False, "parts": []}

    def pid(self, part: str) -> int | None:
        found = [known["pid"] for known in self.status()["parts"] if known["name"] == part]
        return found[0] if found else None

    def kill(self, part: str) -> int:
        """Send SIGKILL to a part's main process, and return the process id. The supervisor restarts
        the part."""
        pid = self.pid(part)
        assert pid is not None, f"{part} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_and_wait(self, part: str) -> None:
        pid = self.kill(part)
        wait_until(lambda: self.pid(part) not in (pid, None), seconds=_READY_SECONDS)
        self.wait_ready()

    def wait_ready(self, seconds: float = _READY_SECONDS) -> None:
        wait_until(self._ready, seconds=seconds)

    def delete_jetstream(self) -> None:
        """Kill NATS, delete all its stored messages, and wait until the mesh is ready again."""
        pid = self.kill("nats")
        shutil.rmtree(self.home.nats, ignore_errors=True)
        wait_until(lambda: self.pid("nats") not in (pid, None), seconds=_READY_SECONDS)
        self.wait_ready()

    def story(self, query: str) -> Story | None:
        return find_story(SpanFiles(self.home.spans), query)

    def stop(self) -> None:
        """Stop the mesh in order. If that takes more than _STOP_SECONDS, kill the supervisor."""
        if self.supervisor.poll() is None:
            self.supervisor.terminate()
            try:
                self.supervisor.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.supervisor.kill()
                self.supervisor.wait()

    def _ready(self) -> bool:
        if self.supervisor.poll() is not None:
            output = self.home.log_of("up").read_text(errors="replace").strip()
            raise AssertionError(f"the supervisor ended: {output[-2000:]}")
        return bool(self.status()["ready"])


def running_mesh_in(path: Path, *, without: tuple[str, ...]) -> Iterator[RunningTestMesh]:
    from tartip_cli.parts.postgres import erase_cluster

    running = start_mesh(path, without=without)
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()
        erase_cluster(running.home)


def start_mesh(
    path: Path,
    *,
    without: tuple[str, ...] = (),
    moved_by: dt.timedelta | None = None,
    environment: Mapping[str, str] | None = None,
) -> RunningTestMesh:
    """Start a mesh with its data in the folder `path`, on free ports. The mesh ends with this
    process.

    `without` names parts that are not started. The services' clock is ahead of the host's by
    `moved_by`. If `moved_by` is None, it is ahead by as much as the clock of this process.
    `environment` holds further variables of the supervisor, such as TARTIP_NATS_URL.
    """
    from chassis.clock import clock_offset
    from tartip_cli.parts.mesh import Mesh
    from tartip_cli.parts.part import launched

    checkout = find_checkout()
    ports = free_base()
    offset = clock_offset() if moved_by is None else moved_by
    variables = {
        "TARTIP_HOME": str(path),
        "TARTIP_PORT_BASE": str(ports.base),
        "TARTIP_GATEWAY_PORT": str(ports.gateway),
        "TARTIP_CLOCK_OFFSET": str(offset.total_seconds()),
        "TARTIP_HEADS_DIR": str(path.with_name(f"{path.name}-heads")),
        **(environment or {}),
    }
    settings = read_settings(variables)
    left_out = frozenset(without) | (set(_SERVICE_NAMES) if "services" in without else set())
    description = Mesh.build(settings, without=left_out)
    command = [sys.executable, "-m", "tartip_cli", "up"]
    for name in without:
        command += ["--without", name]
    with description.home.log_of("up").open("ab") as output:
        supervisor = subprocess.Popen(
            launched(tuple(command), user=None, death_signal=signal.SIGTERM),
            env={**inherited_environment(), **variables},
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return RunningTestMesh(
        home=description.home, ports=ports, description=description, supervisor=supervisor
    )


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds:.0f} s"
        time.sleep(0.1)
