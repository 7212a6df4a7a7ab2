"""Who calls and who publishes in the tests of violations: certificates, tokens, signing keys."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from chassis.channels import Channels
from chassis.clock import new_id
from chassis.grpc_status import from_error
from chassis.refusals import RemoteRefusal
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.message import Message
from tartip.inference.v1 import events_pb2 as inference_events
from tartip.violations.v1 import violations_pb2 as pb
from tartip.violations.v1 import violations_pb2_grpc
from tartip_testing.bounds import CALL_SECONDS
from tartip_testing.mesh import RunningTestMesh

SERVICE = "violations"


@dataclass
class As:
    """Calls of one caller: a certificate and, where it speaks for an operator, a token."""

    channels: Channels
    address: str
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        self.stub = violations_pb2_grpc.ViolationsStub(self.channels.to(self.address, SERVICE))

    async def call(self, method: str, request: Message) -> Any:
        call = getattr(self.stub, method)
        return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)

    async def open(self, violation_id: str, sha256: str) -> list[pb.OpenEvidenceResponse]:
        request = pb.OpenEvidenceRequest(violation_id=violation_id, sha256=sha256)
        answers = self.stub.OpenEvidence(request, timeout=CALL_SECONDS, metadata=self.metadata)
        return [answer async for answer in answers]


@dataclass(frozen=True)
class Publisher:
    """Publishes as the service that owns the subject, with the headers that its relay gives."""

    engines: RunningTestMesh

    async def send(
        self, subject: str, message: Message, *, user: str, event_id: str = "", story: str = ""
    ) -> str:
        client = await self.engines.nats_client(user)
        told = event_id or str(new_id())
        headers = {
            "ce-id": told,
            "ce-type": subject,
            "tartip-aggregate": str(new_id()),
            "tartip-version": "1",
            "tartip-region": "KZ-75",
            "tartip-story": story or "ab" * 16,
            "traceparent": f"00-{story or 'ab' * 16}-{'cd' * 8}-01",
        }
        await client.jetstream().publish(
            subject, message.SerializeToString(), headers=headers, timeout=5
        )
        await client.close()
        return told

    async def read(self, event: inference_events.PlateRead, **headers: str) -> str:
        return await self.send(
            "inference.v1.plate_read", event, user="inference-gateway", **headers
        )


@dataclass(frozen=True)
class Signer:
    """An officer's browser or card."""

    engines: RunningTestMesh

    def sign(self, canonical: bytes, officer: str = "inspector-almaty") -> tuple[bytes, bytes]:
        """Signature and certificate."""
        pair = self.engines.certificates.officer(officer)
        key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signature = key.sign(canonical, ec.ECDSA(hashes.SHA256()))
        return signature, pair.certificate.read_bytes()


async def refused(call: Awaitable[object]) -> RemoteRefusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    refusal = from_error(caught.value)
    assert isinstance(refusal, RemoteRefusal)
    assert refusal.message.ru and refusal.message.kk
    return refusal
