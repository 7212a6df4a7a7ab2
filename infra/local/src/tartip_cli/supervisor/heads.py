"""Stores the signed heads of all audit logs in files outside the data folder, once a minute.

A head is the signed root of an audit log's Merkle tree. Whoever changes a log and signs it again
with the service's key would have to change the stored heads as well. The mesh's administrators
should therefore have no access to the files: use another disk or another user. There is one file
for each service and month, with one head per line. Lines are only added.
"""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.parts.probes import secure_channel
from tartip_cli.topology import COMMAND_LINE, GRPC_SERVICES, Service

if TYPE_CHECKING:
    from audit_log.heads import SignedHead

EVERY_SECONDS = 60.0
_ANSWER_SECONDS = 10.0

log = logging.getLogger(__name__)


def folder_of(heads_dir: Path, home: DataDir) -> Path:
    """Return the subfolder of `heads_dir` for the heads of the data folder `home`.

    Raises Failure if `heads_dir` is inside the data folder.
    """
    if heads_dir.expanduser().absolute().is_relative_to(home.path.absolute()):
        raise Failure(
            f"TARTIP_HEADS_DIR={heads_dir} is in the data folder: name one outside of it",
            Exit.USAGE,
        )
    return heads_dir.expanduser().absolute() / home.identity()


def keep(folder: Path, head: SignedHead) -> None:
    """Append a head to the file of its service and month, unless the last line is already this
    head.

    An incomplete last line is removed first. Raises OSError if the file cannot be read or written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    month = head.sealed_at.astimezone(UTC).strftime("%Y-%m")
    path = folder / f"{head.service}.{month}.jsonl"
    known = path.read_bytes() if path.exists() else b""
    whole, line = known[: known.rfind(b"\n") + 1], head.as_line().encode() + b"\n"
    if whole != known:  # a line was cut off when the machine failed
        os.truncate(path, len(whole))
    if whole.endswith(line):
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


class HeadKeeper:
    """A loop that asks each service of a mesh for its newest head once a minute, and stores the
    head."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._folder = folder_of(mesh.settings.heads_dir, mesh.home)
        self._services = [each for each in GRPC_SERVICES if each.name in mesh.migrated_services]

    async def run(self) -> None:
        """Ask for heads and store them, once a minute, until cancelled; errors are only logged."""
        while True:
            for service in self._services:
                await self._keep_newest(service)
            await asyncio.sleep(EVERY_SECONDS)

    async def _keep_newest(self, service: Service) -> None:
        try:
            head = await self.newest(service)
            if head is not None:
                await asyncio.to_thread(keep, self._folder, head)
        except OSError as error:
            log.error("heads cannot be kept in %s: %s", self._folder, error.strerror)
        except Exception as error:  # any error of a library means: no answer
            log.warning("%s gives no head: %r", service.name, error)

    async def newest(self, service: Service) -> SignedHead | None:
        """Ask a service for the newest head of its log; None if the log has no head yet.

        Raises a gRPC error if the service does not answer.
        """
        import grpc
        from audit_log.heads import SignedHead
        from tartip.audit.v1 import audit_pb2, audit_pb2_grpc

        certificates = self._mesh.certificates
        address = self._mesh.ports.address(service)
        pair = certificates.service(COMMAND_LINE)
        async with secure_channel(address, pair, certificates.authority) as channel:
            try:
                stub = audit_pb2_grpc.AuditStub(channel)
                answer = await stub.GetHead(audit_pb2.GetHeadRequest(), timeout=_ANSWER_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                    return None
                raise
        return SignedHead.from_message(answer.head)
