"""Makes, signs and sends the reports of a hub, as a control centre or an edge box does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from chassis.clock import new_id, system_clock, to_timestamp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from nats.aio.client import Client
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.cameras.v1 import events_pb2 as pb
from tartip.common.v1 import common_pb2

from tartip_cli.clients.partner import Outside
from tartip_cli.clients.readings import private_pem
from tartip_cli.data_dir import write_private
from tartip_cli.failures import Exit, Failure
from tartip_cli.provision.broker import connect
from tartip_cli.provision.keys import Keys
from tartip_cli.topology import CAMERA_REGISTRY, COMMAND_LINE

SIGNED = b"tartip.cameras.v1.HubReport\0"


@dataclass
class ReportingHub:
    """A hub that can make signed reports. It has an id and a private key. The field `number` is the
    sequence number of its last report."""

    hub_id: UUID = field(default_factory=new_id)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    number: int = field(default_factory=lambda: int(system_clock().timestamp() * 1000))

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def subject(self) -> str:
        return f"cameras.heartbeats.{self.hub_id}"

    def report(
        self,
        conditions: Mapping[UUID, int],
        sent_at: datetime,
        *,
        clock_offsets: Mapping[UUID, int] | None = None,
    ) -> bytes:
        """Return the hub's next report, signed and serialized. `conditions` maps the id of each
        camera to its condition (a CameraCondition).

        `clock_offsets` maps camera ids to milliseconds: how far the camera's clock is ahead of the
        hub's.
        """
        offsets = clock_offsets or {}
        return self.signed_ids(
            b"".join(camera_id.bytes for camera_id in conditions),
            sent_at,
            conditions=bytes(conditions.values()),
            clock_offsets=[offsets.get(camera_id, 0) for camera_id in conditions]
            if offsets
            else [],
        )

    def signed_ids(
        self,
        camera_ids: bytes,
        sent_at: datetime,
        *,
        conditions: bytes = b"",
        clock_offsets: list[int] | None = None,
    ) -> bytes:
        """Return the hub's next report, signed and serialized. `camera_ids` holds the ids of its
        cameras, 16 bytes each, concatenated.

        `conditions` and `clock_offsets` have one value per camera, in the same order. A condition
        is one byte (a CameraCondition); if `conditions` is empty, all cameras work. A clock offset
        is the number of milliseconds by which the camera's clock is ahead of the hub's; if
        `clock_offsets` is empty, the clocks were not measured.
        """
        self.number += 1
        report = pb.HubReport(
            hub_id=str(self.hub_id),
            number=self.number,
            sent_at=to_timestamp(sent_at),
            camera_ids=camera_ids,
            conditions=conditions,
            clock_offset_milliseconds=clock_offsets or [],
        ).SerializeToString()
        signature = self.key.sign(SIGNED + report)
        return pb.SignedHubReport(report=report, signature=signature).SerializeToString()


def make_key(path: Path) -> bytes:
    """Write a new Ed25519 private key to a PEM file, and return the 32 bytes of the public key.
    Raises Failure if the file exists."""
    if path.exists():
        raise Failure(f"{path} exists: name a new file for the private key", Exit.USAGE)
    key = Ed25519PrivateKey.generate()
    write_private(path, private_pem(key))
    return key.public_key().public_bytes_raw()


def read_public_key(path: Path) -> bytes:
    """Return the 32 bytes of the Ed25519 public key in a PEM file. Raises Failure if the file
    cannot be read or holds no such key."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path)
    return key.public_bytes_raw()


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 private key in a PEM file. Raises Failure if the file cannot be read or
    holds no such key."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, TypeError, ValueError) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return key


def _no_key(path: Path) -> Failure:
    return Failure(f"{path} is no PEM file with an Ed25519 key", Exit.USAGE)


@asynccontextmanager
async def publisher(mesh: Outside) -> AsyncIterator[Client]:
    """Yield a connection to the mesh's broker. The connection may publish reports of hubs."""
    client = await connect(
        mesh.nats_url,
        user=COMMAND_LINE,
        seed=Keys(mesh.home.keys).nats_seed(COMMAND_LINE),
        pair=mesh.certificates.service(COMMAND_LINE),
        authority=mesh.nats_authority,
    )
    try:
        yield client
    finally:
        await client.close()


async def cameras_of(mesh: Outside, hub_id: UUID) -> list[UUID]:
    """Return the ids of the hub's cameras. Reads the whole list of cameras, which is slow."""
    stub: cameras_pb2_grpc.CameraRegistryAsyncStub = cameras_pb2_grpc.CameraRegistryStub(
        mesh.as_command_line(CAMERA_REGISTRY)
    )
    found: list[UUID] = []
    request = cameras_pb2.ListCamerasRequest(page=common_pb2.Page(size=200))
    while True:
        answer = await stub.ListCameras(request, timeout=10)
        found += [
            UUID(camera.camera_id)
            for camera in answer.cameras
            if camera.description.hub_id == str(hub_id)
        ]
        if not answer.next_page_token:
            return found
        request.page.token = answer.next_page_token
