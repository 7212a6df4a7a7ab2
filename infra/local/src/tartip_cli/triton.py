"""NVIDIA Triton, started from the environment that `infra/triton/build.py` makes.

gRPC alone, on the loopback address, with mutual TLS; no HTTP, and no model can be loaded or
unloaded while it runs. Its Python stubs find numpy through PATH and libpython through
LD_LIBRARY_PATH.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import grpc

from tartip_cli.failures import Exit, Failure
from tartip_cli.home import Home
from tartip_cli.parts import Part
from tartip_cli.pki import Certificates, KeyPair
from tartip_cli.ports import LOOPBACK
from tartip_cli.service_part import secure_channel

_SERVER_READY = "/inference.GRPCInferenceService/ServerReady"
_READY_ANSWER = b"\x08\x01"  # ServerReadyResponse { ready: true }
_PROBE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Triton:
    folder: Path
    home: Home
    address: str
    metrics_port: int
    certificates: Certificates
    client: KeyPair

    def part(self) -> Part:
        return Part(
            name="triton",
            address=self.address,
            command=self._command(),
            environment=self._environment(),
            folder=self.home.run,
            log=self.home.log_of("triton"),
            probe=self.answers,
        )

    async def answers(self) -> bool:
        """Ready means that every model is loaded."""
        async with secure_channel(
            self.address, self.client, self.certificates.authority
        ) as channel:
            ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_SERVER_READY)
            if await ask(b"", timeout=_PROBE_SECONDS) != _READY_ANSWER:
                raise ConnectionError("Triton is still loading its models")
        return True

    def _command(self) -> tuple[str, ...]:
        pair = self.certificates.service("triton")
        port = self.address.rpartition(":")[2]
        return (
            str(self._packages / "pytriton" / "tritonserver" / "bin" / "tritonserver"),
            f"--model-repository={self.folder / 'models'}",
            f"--backend-directory={self._packages / 'pytriton' / 'tritonserver' / 'backends'}",
            "--model-control-mode=none",
            "--allow-http=false",
            "--allow-grpc=true",
            f"--grpc-address={LOOPBACK}",
            f"--grpc-port={port}",
            "--grpc-use-ssl=true",
            "--grpc-use-ssl-mutual=true",
            f"--grpc-server-cert={pair.certificate}",
            f"--grpc-server-key={pair.key}",
            f"--grpc-root-cert={self.certificates.authority}",
            "--allow-metrics=true",
            f"--metrics-address={LOOPBACK}",
            f"--metrics-port={self.metrics_port}",
            "--exit-timeout-secs=10",
            "--log-verbose=0",
        )

    def _environment(self) -> dict[str, str]:
        environment = self.folder / "venv"
        libraries = [self._packages / "nvidia_pytriton.libs", self.folder / "libpython"]
        return {
            "PATH": os.pathsep.join([str(environment / "bin"), os.environ.get("PATH", os.defpath)]),
            "LD_LIBRARY_PATH": os.pathsep.join(str(library) for library in libraries),
            "PYTHONPATH": str(self._packages),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }

    @property
    def _packages(self) -> Path:
        found = sorted((self.folder / "venv" / "lib").glob("python3.*/site-packages"))
        if not found or not (found[0] / "pytriton").is_dir():
            raise Failure(
                f"Triton is not set up in {self.folder}: run `make setup`, or set "
                "TARTIP_TRITON_URL to a running one",
                Exit.MISSING_REQUIREMENT,
            )
        return found[0]
