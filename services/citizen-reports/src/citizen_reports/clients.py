"""Client of the inference gateway's evidence store."""

from collections.abc import AsyncIterator

import grpc
from chassis.channels import peers_refusals, refusals_of
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc

from citizen_reports.model.media import EvidenceFile, Stored
from citizen_reports.model.report import Report
from citizen_reports.usecases.openings import Piece

STORE_SECONDS = 120.0  # of 100 MiB
READ_SECONDS = 30.0
ERASE_SECONDS = 10.0


class InferenceGateway:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = inference_pb2_grpc.InferenceStub(channel)

    async def store(
        self, file: EvidenceFile, report: Report, pieces: AsyncIterator[bytes]
    ) -> Stored:
        with peers_refusals():
            answer = await self._stub.StoreEvidence(
                _requests(file, report, pieces), timeout=STORE_SECONDS
            )
        return Stored(answer.sha256, answer.shown_sha256)

    async def erase(self, sha256: str, *, confidential: bool) -> None:
        """Erase a file; nothing happens if it is not there. `sha256` (hex) is its hash. With
        `confidential`, the gateway's audit entry of it is hidden from auditors."""
        request = inference_pb2.EraseEvidenceRequest(sha256=sha256, confidential=confidential)
        with peers_refusals():
            await self._stub.EraseEvidence(request, timeout=ERASE_SECONDS)

    async def read(self, sha256: str, *, confidential: bool) -> AsyncIterator[Piece]:
        """Stream the copy of a file that is shown to operators. `sha256` (hex) is the hash of the
        original file, not of this copy. The caller's stated purpose is passed on to the gateway.
        With `confidential`, the gateway's audit entry of this read is hidden from auditors."""
        request = inference_pb2.ReadEvidenceRequest(sha256=sha256, confidential=confidential)
        call = self._stub.ReadEvidence(request, timeout=READ_SECONDS)
        try:
            async for answer in refusals_of(call):
                yield Piece(
                    answer.content,
                    answer.content_type,
                    answer.sha256,
                    answer.original_sha256,
                    answer.size_bytes,
                )
        finally:
            call.cancel()


async def _requests(
    file: EvidenceFile, report: Report, pieces: AsyncIterator[bytes]
) -> AsyncIterator[inference_pb2.StoreEvidenceRequest]:
    header = inference_pb2.EvidenceHeader(
        sha256=file.sha256,
        content_type=file.content_type,
        region=report.region,
        only_role=report.evidence_role,
        confidential=report.is_confidential,
        shown_sha256=file.shown_sha256,
    )
    yield inference_pb2.StoreEvidenceRequest(header=header)
    async for piece in pieces:
        yield inference_pb2.StoreEvidenceRequest(content=piece)
