"""The RPCs of `Inference` about evidence: convert between protobuf and the use cases."""

import asyncio
import re
from collections.abc import AsyncIterator

import grpc
from chassis.call_context import current_caller
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, checks
from tartip.inference.v1 import inference_pb2

from inference_gateway.evidence.messages import check_to_proto, damaged_to_proto, in_pieces
from inference_gateway.evidence.storage import EvidencePlace
from inference_gateway.evidence.usecases import (
    MOST_BYTES,
    AnnouncedEvidence,
    EvidenceStore,
    EvidenceTooLarge,
)

STORED_AT_ONCE = 2
SERVICE = "/tartip.inference.v1.Inference/"
POLICY: Policy = {
    f"{SERVICE}StoreEvidence": allow(services=("citizen-reports",)),
    # The owners of records decide which operator sees what of them, and ask in their own name.
    f"{SERVICE}ReadEvidence": allow(services=("violations", "citizen-reports"), purpose=True),
    f"{SERVICE}EraseEvidence": allow(services=("citizen-reports",)),
    f"{SERVICE}ListDamagedEvidence": allow(services=("tartip-cli",)),
}
CONTENT_TYPE = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,60}")
REGION = re.compile(r"KZ-\d{2}")
ROLE = re.compile(r"[a-z_]{0,40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


class EvidenceApi:
    def __init__(self, evidence_store: EvidenceStore, pages: Pages) -> None:
        self._evidence = evidence_store
        self._pages = pages
        # Each is held in memory, as it came and encrypted.
        self._storing = asyncio.Semaphore(STORED_AT_ONCE)

    async def StoreEvidence(
        self,
        request_iterator: AsyncIterator[inference_pb2.StoreEvidenceRequest],
        context: grpc.aio.ServicerContext,
    ) -> inference_pb2.StoreEvidenceResponse:
        async with self._storing:
            return await self._store(request_iterator)

    async def _store(
        self, request_iterator: AsyncIterator[inference_pb2.StoreEvidenceRequest]
    ) -> inference_pb2.StoreEvidenceResponse:
        header = await _evidence_header(request_iterator)
        content = bytearray()
        async for message in request_iterator:
            content += message.content
            if len(content) > MOST_BYTES:
                raise EvidenceTooLarge
        with checks() as check:
            check.that(len(content) > 0, "content", "must not be empty")
        kept = await self._evidence.store(
            bytes(content),
            AnnouncedEvidence(header.sha256, header.content_type, header.shown_sha256),
            place=EvidencePlace(header.region, header.only_role),
            caller=current_caller(),
            confidential=header.confidential,
        )
        return inference_pb2.StoreEvidenceResponse(
            sha256=kept.sha256, size_bytes=kept.size_bytes, shown_sha256=kept.shown_sha256
        )

    async def ReadEvidence(
        self, request: inference_pb2.ReadEvidenceRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[inference_pb2.ReadEvidenceResponse]:
        with checks() as check:
            _digest(check, request.sha256, "sha256")
        shown = await self._evidence.read(
            request.sha256, current_caller().scope, confidential=request.confidential
        )
        for message in in_pieces(shown, inference_pb2.ReadEvidenceResponse):
            yield message

    async def EraseEvidence(
        self, request: inference_pb2.EraseEvidenceRequest, context: grpc.aio.ServicerContext
    ) -> inference_pb2.EraseEvidenceResponse:
        with checks() as check:
            _digest(check, request.sha256, "sha256")
        erased = await self._evidence.erase(
            request.sha256, current_caller().scope, confidential=request.confidential
        )
        return inference_pb2.EraseEvidenceResponse(erased=erased)

    async def ListDamagedEvidence(
        self, request: inference_pb2.ListDamagedEvidenceRequest, context: grpc.aio.ServicerContext
    ) -> inference_pb2.ListDamagedEvidenceResponse:
        page = self._pages.read(request, current_caller())
        [after] = page.spec.after or ("",)
        if request.look_again:
            await self._evidence.look_again(after=after, size=page.spec.size)
        found, check = await self._evidence.damaged(after=after, size=page.spec.size)
        return inference_pb2.ListDamagedEvidenceResponse(
            damaged=[damaged_to_proto(one) for one in found],
            next_page_token=page.next_token([(one.object_path,) for one in found]),
            check=check_to_proto(check) if check else None,
        )


async def _evidence_header(
    messages: AsyncIterator[inference_pb2.StoreEvidenceRequest],
) -> inference_pb2.EvidenceHeader:
    first = await anext(aiter(messages), inference_pb2.StoreEvidenceRequest())
    header = first.header
    with checks() as check:
        if check.that(first.HasField("header"), "header", "must come first"):
            _digest(check, header.sha256, "header.sha256")
            check.that(
                bool(CONTENT_TYPE.fullmatch(header.content_type)),
                "header.content_type",
                "must be a media type such as image/jpeg",
            )
            if header.shown_sha256:
                _digest(check, header.shown_sha256, "header.shown_sha256")
            check.that(bool(REGION.fullmatch(header.region)), "header.region", "must be as KZ-75")
            check.that(
                bool(ROLE.fullmatch(header.only_role)),
                "header.only_role",
                "must be a role or empty",
            )
    return header


def _digest(check: Checks, text: str, field: str) -> None:
    check.that(bool(SHA256.fullmatch(text)), field, "must be a SHA-256 in lower-case hex")
