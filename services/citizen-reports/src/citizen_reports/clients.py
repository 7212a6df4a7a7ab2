"""The evidence store of the inference gateway, as this service uses it."""

from collections.abc import AsyncIterator

import grpc
from chassis.channels import peers_refusals
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc

from citizen_reports.model.media import Announced

STORE_SECONDS = 30.0


class InferenceGateway:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = inference_pb2_grpc.InferenceStub(channel)

    async def store(
        self, announced: Announced, region: str, only_role: str, pieces: AsyncIterator[bytes]
    ) -> str:
        with peers_refusals():
            answer = await self._stub.StoreEvidence(
                _requests(announced, region, only_role, pieces), timeout=STORE_SECONDS
            )
        return str(answer.sha256)


async def _requests(
    announced: Announced, region: str, only_role: str, pieces: AsyncIterator[bytes]
) -> AsyncIterator[inference_pb2.StoreEvidenceRequest]:
    header = inference_pb2.EvidenceHeader(
        sha256=announced.sha256,
        content_type=announced.content_type,
        region=region,
        only_role=only_role,
    )
    yield inference_pb2.StoreEvidenceRequest(header=header)
    async for piece in pieces:
        yield inference_pb2.StoreEvidenceRequest(content=piece)
