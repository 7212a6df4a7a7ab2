"""Evidence, streamed through from its owner: nothing of it rests here or in the browser's cache."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse
from tartip.inference.v1 import inference_pb2

from operator_gateway.onward import AsOperator

router = APIRouter(prefix="/v1/evidence", tags=["evidence"])

SHOWN_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "video/mp4"})
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="Of the content, hex.")]


@router.get(
    "/{sha256}", response_class=StreamingResponse,
    responses={200: {"content": {kind: {} for kind in sorted(SHOWN_TYPES)}}},
)  # fmt: skip
async def read_evidence(sha256: Sha256, onward: AsOperator) -> StreamingResponse:
    """One piece of evidence; the header Tartip-Purpose is required and goes into the audit log."""
    request = inference_pb2.ReadEvidenceRequest(sha256=sha256)
    messages = onward.stream(onward.peers.inference.ReadEvidence, request)
    # The first message before the status: a refusal must still be able to become one.
    first = await anext(messages, inference_pb2.ReadEvidenceResponse())
    shown = first.content_type in SHOWN_TYPES
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'{"inline" if shown else "attachment"}; filename="{sha256}"',
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    }
    media_type = first.content_type if shown else "application/octet-stream"
    return StreamingResponse(_contents(first.content, messages), 200, headers, media_type)


async def _contents(first: bytes, rest: AsyncIterator[inference_pb2.ReadEvidenceResponse]) -> (
    AsyncIterator[bytes]
):  # fmt: skip
    try:
        yield first
        async for message in rest:
            yield message.content
    finally:
        await rest.aclose()  # type: ignore[attr-defined]  # it is a generator
