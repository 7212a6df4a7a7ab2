"""Starts the mesh that the bench measures. By default it consists of the engines (PostgreSQL, NATS,
Triton), the camera registry and the inference gateway.

The mesh runs in a scratch folder on its own ports and is deleted afterwards. The other services are
left out, since their work would slow down only one side of a comparison.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
from chassis.channels import peers_refusals
from chassis.clock import new_id
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.common.v1 import common_pb2
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.samples import ADMINISTRATOR
from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.parts.part import launched
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.ports import free_base
from tartip_cli.settings import Settings, find_checkout, inherited_environment
from tartip_cli.supervisor.client import ask_status
from tartip_cli.supervisor.process import cpu_seconds, tree_pss_bytes
from tartip_cli.topology import CAMERA_REGISTRY, SERVICES, Service

LEFT_OUT = ("violations", "fines", "citizen-reports", "operator-gateway")
ENGINES_ALONE = ("triton", *(service.name for service in SERVICES))
REGION = "KZ-75"
_READY_SECONDS = 240.0
_STOP_SECONDS = 60.0
_CALL_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class BenchMesh:
    """A running mesh that a bench can measure, load, stop and kill."""

    mesh: Mesh
    outside: Outside
    supervisor: subprocess.Popen[bytes]

    @property
    def folder(self) -> Path:
        return self.mesh.home.path

    def address(self, service: Service) -> str:
        return self.mesh.ports.address(service)

    def pid(self, part: str) -> int:
        """Return the process id of a part. Raises Failure if the part does not run."""
        status = ask_status(self.mesh.home)
        for known in status["parts"] if status else ():
            if known["name"] == part and known["pid"] is not None:
                return int(known["pid"])
        raise Failure(f"{part} does not run", Exit.PART_FAILED)

    def cpu_seconds(self, *parts: str) -> float:
        """Return the processor time in seconds that these parts have used since they started. Their
        child processes are included. Raises Failure if a part does not run."""
        return sum(cpu_seconds(self.pid(part)) for part in parts)

    def memory_bytes(self, part: str) -> int:
        return tree_pss_bytes(self.pid(part))

    async def ready(self, seconds: float = _READY_SECONDS) -> None:
        until = time.monotonic() + seconds
        while True:
            status = await asyncio.to_thread(ask_status, self.mesh.home)
            if status is not None and status["ready"]:
                return
            if self.supervisor.poll() is not None:
                output = self.mesh.home.log_of("up").read_text(errors="replace").strip()
                raise Failure(f"the mesh of the bench ended: {output[-300:]}", Exit.PART_FAILED)
            if time.monotonic() > until:
                raise Failure("the mesh of the bench does not become ready", Exit.PART_FAILED)
            await asyncio.sleep(0.2)

    async def camera(self) -> str:
        """Register a made-up camera and return its id. Raises Refusal if the registration is
        refused."""
        camera_id = str(new_id())
        description = cameras_pb2.CameraDescription(
            name="Bench",
            kind=cameras_pb2.CAMERA_KIND_OVERVIEW,
            serial=f"B-{camera_id}",
            make="Tartip",
            model="Bench",
            owner_bin="100140000003",
            connected=True,
            device_key=Ed25519PrivateKey.generate().public_key().public_bytes_raw(),
            certificate_number=f"TC-{camera_id}",
            place=common_pb2.Place(
                latitude=43.2389, longitude=76.9286, region=REGION, address="Алматы"
            ),
        )
        stub = cameras_pb2_grpc.CameraRegistryStub(self.for_operators(CAMERA_REGISTRY))
        request = cameras_pb2.RegisterCameraRequest(camera_id=camera_id, description=description)
        with peers_refusals():
            await stub.RegisterCamera(
                request, metadata=await self.speaking(ADMINISTRATOR), timeout=_CALL_SECONDS
            )
        return camera_id

    def for_operators(self, service: Service) -> grpc.aio.Channel:
        """Open a channel to a service with the certificate of the operator gateway. Calls of
        operators arrive at services with this certificate."""
        pair = self.outside.certificates.service("operator-gateway")
        return self.outside.channel(pair, service)

    async def speaking(self, operator: str) -> tuple[tuple[str, str], ...]:
        """Return the gRPC metadata for a call by the operator with this id. The metadata hold a new
        token, and "bench" as the purpose."""
        async with httpx.AsyncClient(timeout=_CALL_SECONDS, trust_env=False) as http:
            answer = await http.post(f"{self.mesh.oidc_issuer}/token", data={"operator": operator})
        token = answer.raise_for_status().json()["access_token"]
        return (("authorization", f"Bearer {token}"), ("tartip-purpose", "bench"))


@asynccontextmanager
async def running_bench_mesh(left_out: Sequence[str] = LEFT_OUT) -> AsyncIterator[BenchMesh]:
    """Run a mesh without the parts named in `left_out` during the block, and delete it afterwards.
    Raises Failure if the mesh does not become ready."""
    scratch = Path(tempfile.mkdtemp(prefix="tartip-bench-"))
    home = scratch / "home"  # the lists of erasures are made beside it
    ports = free_base()
    settings = Settings(
        home=home, checkout=find_checkout(), port_base=ports.base, gateway_port=ports.gateway
    )
    mesh = Mesh.build(settings, without=frozenset(left_out))
    supervisor = _supervisor(mesh, left_out)
    outside = Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer)
    running = BenchMesh(mesh=mesh, outside=outside, supervisor=supervisor)
    try:
        await running.ready()
        async with outside:
            yield running
    finally:
        await asyncio.to_thread(_stop, supervisor)
        erase_cluster(mesh.home)
        shutil.rmtree(scratch, ignore_errors=True)


def _supervisor(mesh: Mesh, left_out: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tartip_cli", "up"]
    for name in left_out:
        command += ["--without", name]
    with mesh.home.log_of("up").open("ab") as output:
        return subprocess.Popen(
            launched(tuple(command), user=None, death_signal=signal.SIGTERM),
            env={
                **inherited_environment(),
                "TARTIP_HOME": str(mesh.home.path),
                "TARTIP_PORT_BASE": str(mesh.ports.base),
                "TARTIP_GATEWAY_PORT": str(mesh.ports.gateway),
            },
            cwd=mesh.settings.checkout,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _stop(supervisor: subprocess.Popen[bytes]) -> None:
    if supervisor.poll() is None:
        supervisor.terminate()
        try:
            supervisor.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()
