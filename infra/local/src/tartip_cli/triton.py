"""NVIDIA Triton, started from the environment that `infra/triton/build.py` makes.

gRPC alone, on the loopback address, with mutual TLS; no HTTP, and no model can be loaded or
unloaded while it runs. Its Python stubs find numpy through PATH and libpython through
LD_LIBRARY_PATH.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from tartip_cli.failures import Exit, Failure
from tartip_cli.home import Home, write_private
from tartip_cli.parts import Part
from tartip_cli.pki import Certificates, KeyPair
from tartip_cli.ports import LOOPBACK
from tartip_cli.service_part import secure_channel
from tartip_cli.topology import COMMAND_LINE

# Triton cannot tell callers apart, so it trusts these two certificates and not their authority.
_CALLERS = ("inference-gateway", COMMAND_LINE)
# Nobody has the key that these would ask for.
_RESTRICTED = "shared-memory,model-repository,trace,logging:tartip-closed"
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
            prepare=self.prepare,
            probe=self.answers,
        )

    async def prepare(self) -> None:
        """Say who may call, and drop the shared memory that a killed Triton leaves behind."""
        callers = (self.certificates.service(name) for name in _CALLERS)
        content = b"".join(caller.certificate.read_bytes() for caller in callers)
        write_private(self._trusted, content)
        self._clear_shared_memory()

    async def answers(self) -> bool:
        """Ready means that every model is loaded."""
        async with secure_channel(
            self.address, self.client, self.certificates.authority
        ) as channel:
            ask = channel.unary_unary(_SERVER_READY, bytes, bytes)
            if await ask(b"", timeout=_PROBE_SECONDS) != _READY_ANSWER:
                raise ConnectionError("Triton is still loading its models")
        return True

    def _clear_shared_memory(self) -> None:
        for path in Path("/dev/shm").glob(f"{self._shared_memory}*"):
            path.unlink(missing_ok=True)

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
            f"--grpc-root-cert={self._trusted}",
            f"--grpc-restricted-protocol={_RESTRICTED}={secrets.token_hex(16)}",
            f"--backend-config=python,shm-region-prefix-name={self._shared_memory}",
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
    def _trusted(self) -> Path:
        return self.home.run / "triton-callers.pem"

    @property
    def _shared_memory(self) -> str:
        return f"tartip-{self.home.identity()}-"

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
