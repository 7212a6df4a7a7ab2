"""NVIDIA Triton, run from the installation that `infra/triton/build.py` creates.

Triton serves inference over gRPC only, on the loopback address, with mutual TLS. No model can be
loaded or unloaded while Triton runs. It is not started if a model file has changed since the
installation. If the mesh runs as root, Triton runs as a separate user
(`provision/triton_paths.py`).

Triton's Python backend processes find numpy through PATH and libpython through LD_LIBRARY_PATH.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import grpc

from tartip_cli.data_dir import DataDir, write_private
from tartip_cli.parts.health import READY, Health, unready
from tartip_cli.parts.part import Part
from tartip_cli.parts.probes import PROBE_SECONDS, health_of, secure_channel
from tartip_cli.ports import LOOPBACK
from tartip_cli.provision.certificates import Certificates, KeyPair
from tartip_cli.provision.triton_paths import (
    TritonPaths,
    fill,
    make_own,
    own_folder,
    paths_for,
    triton_user,
)
from tartip_cli.provision.users import UnixUser

# Nobody has the key that these interfaces would require.
_RESTRICTED = "shared-memory,model-repository,trace,logging:tartip-closed"
_SERVER_READY = "/inference.GRPCInferenceService/ServerReady"
_READY_ANSWER = b"\x08\x01"  # ServerReadyResponse { ready: true }
_TRUSTED, _CERTIFICATE, _KEY = "triton-callers.pem", "triton.pem", "triton.key"


@dataclass(frozen=True, kw_only=True)
class Triton:
    folder: Path
    home: DataDir
    address: str
    metrics_port: int
    certificates: Certificates
    client: KeyPair

    def part(self) -> Part:
        user = triton_user()
        paths, own = paths_for(self.folder, user), own_folder(self.home, user)

        async def prepare() -> None:
            await asyncio.to_thread(fill, paths, self.folder)
            self._prepare(own, user)

        return Part(
            name="triton",
            address=self.address,
            command=self._command(paths, own),
            environment=self._environment(paths, own),
            folder=own,
            log=self.home.log_of("triton"),
            prepare=prepare,
            probe=self.health,
            user=user,
            certificate="service/triton",
            renew_signal=Part.stop_signal,  # it reads its certificate at its start alone
        )

    def _prepare(self, own: Path, user: UnixUser | None) -> None:
        """Write the certificate of the authority that Triton's callers have, which Triton does not
        authorise further, and its own; remove shared memory of a killed Triton."""
        if user is not None:
            make_own(own, user)
        write_private(own / _TRUSTED, self.certificates.triton_callers.read_bytes())
        pair = self.certificates.service("triton")
        write_private(own / _CERTIFICATE, pair.certificate.read_bytes())
        write_private(own / _KEY, pair.key.read_bytes())
        if user is not None:
            for name in (_TRUSTED, _CERTIFICATE, _KEY):
                shutil.chown(own / name, user.uid, user.gid)
        self._clear_shared_memory()

    async def health(self) -> Health:
        """Return READY if Triton has loaded all models, otherwise UNREADY. Raises ConnectionError
        if there is no answer."""
        async with secure_channel(
            self.address, self.client, self.certificates.authority
        ) as channel:
            ask = channel.unary_unary(_SERVER_READY, bytes, bytes)
            try:
                answer = await ask(b"", timeout=PROBE_SECONDS)
            except grpc.aio.AioRpcError as error:
                return health_of(error)
        return READY if answer == _READY_ANSWER else unready("it is still loading its models")

    def _clear_shared_memory(self) -> None:
        for path in Path("/dev/shm").glob(f"{self._shared_memory}*"):
            path.unlink(missing_ok=True)

    def _command(self, paths: TritonPaths, own: Path) -> tuple[str, ...]:
        port = self.address.rpartition(":")[2]
        server = paths.packages / "pytriton" / "tritonserver"
        return (
            str(server / "bin" / "tritonserver"),
            f"--model-repository={paths.models}",
            f"--backend-directory={server / 'backends'}",
            "--model-control-mode=none",
            "--allow-http=false",
            "--allow-grpc=true",
            f"--grpc-address={LOOPBACK}",
            f"--grpc-port={port}",
            "--grpc-use-ssl=true",
            "--grpc-use-ssl-mutual=true",
            f"--grpc-server-cert={own / _CERTIFICATE}",
            f"--grpc-server-key={own / _KEY}",
            f"--grpc-root-cert={own / _TRUSTED}",
            f"--grpc-restricted-protocol={_RESTRICTED}={secrets.token_hex(16)}",
            f"--backend-config=python,shm-region-prefix-name={self._shared_memory}",
            "--allow-metrics=true",
            f"--metrics-address={LOOPBACK}",
            f"--metrics-port={self.metrics_port}",
            "--exit-timeout-secs=10",
            "--log-verbose=0",
        )

    def _environment(self, paths: TritonPaths, own: Path) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join([str(paths.programs), os.environ.get("PATH", os.defpath)]),
            "LD_LIBRARY_PATH": os.pathsep.join(str(library) for library in paths.libraries),
            "PYTHONPATH": str(paths.packages),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "OMP_NUM_THREADS": "1",
            "HOME": str(own),
        }

    @property
    def _shared_memory(self) -> str:
        return f"tartip-{self.home.identity()}-"
