"""Streams pictures, films and voice of violations and reports from the service that owns the
record. Neither this process nor the browser's cache stores them."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

from chassis import telemetry
from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from tartip.reports.v1 import reports_pb2
from tartip.violations.v1 import violations_pb2

from operator_gateway.operator_context import AsOperator
from operator_gateway.schemas import Id

router = APIRouter(prefix="/v1", tags=["evidence"])

Chunk = violations_pb2.OpenEvidenceResponse | reports_pb2.OpenEvidenceResponse
SHOWN_TYPES = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/webp",
        "video/mp4",
        "video/3gpp",
        "audio/mp4",
        "audio/3gpp",
        "audio/ogg",
        "audio/wav",
        "audio/mpeg",
        "audio/aac",
    }
)
Blurred = Annotated[
    bool,
    Query(
        description="Asks for the blurred form though the clean one may be opened: for previews."
    ),
]
FirstFrame = Annotated[
    bool,
    Query(
        description="Asks for the first frame of a film instead of the film; it is there before it."
    ),
]
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="Of the shown form, hex.")]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {kind: {} for kind in sorted(SHOWN_TYPES)},
        "headers": {
            "Tartip-Sha256": {
                "description": "Of what is answered: the picture or film without what a device "
                "wrote around it. Hex.",
                "schema": {"type": "string"},
            },
            "Tartip-Original-Sha256": {
                "description": "Of the original that it was made of. Hex.",
                "schema": {"type": "string"},
            },
        },
    }
}

FORM = {
    "Tartip-Form": {
        "description": "clean or blurred.",
        "schema": {"type": "string", "enum": ["clean", "blurred"]},
    }
}
REPORT_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {**ANSWERS[200], "headers": {**ANSWERS[200]["headers"], **FORM}}
}


@router.get(
    "/violations/{violation_id}/evidence/{sha256}",
    response_class=StreamingResponse,
    responses=ANSWERS,
)
async def open_violation_evidence(
    violation_id: Id, sha256: Sha256, context: AsOperator
) -> StreamingResponse:
    """Streams a picture of a violation. The header Tartip-Purpose is required, and is written to
    the audit log."""
    telemetry.annotate(violation=violation_id)
    request = violations_pb2.OpenEvidenceRequest(violation_id=violation_id, sha256=sha256)
    return await _opened(context.stream(context.peers.violations.OpenEvidence, request))


@router.get(
    "/reports/{report_id}/media/{media_id}",
    response_class=StreamingResponse,
    responses=REPORT_ANSWERS,
)
async def open_report_media(
    report_id: Id,
    media_id: Id,
    context: AsOperator,
    *,
    blurred: Blurred = False,
    first_frame: FirstFrame = False,
) -> StreamingResponse:
    """Streams a picture, film or voice message of a report: its clean form to the officer to whom
    the report is assigned and to inspectors; the blurred form of a photograph, or of a film's first
    frame, to everybody else. The header Tartip-Purpose is required, and is written to the audit
    log."""
    telemetry.annotate(report=report_id)
    request = reports_pb2.OpenEvidenceRequest(
        report_id=report_id, media_id=media_id, blurred=blurred, first_frame=first_frame
    )
    return await _opened(context.stream(context.peers.reports.OpenEvidence, request))


async def _opened(messages: AsyncGenerator[Chunk, None]) -> StreamingResponse:
    # The first message is awaited before the status is sent, so that a refusal can set it.
    first = await anext(messages)
    is_shown = first.content_type in SHOWN_TYPES
    placed = "inline" if is_shown else "attachment"
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'{placed}; filename="{first.sha256}"',
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
        "Tartip-Sha256": first.sha256,
        "Tartip-Original-Sha256": first.original_sha256,
    }
    if isinstance(first, reports_pb2.OpenEvidenceResponse):
        headers["Tartip-Form"] = first.form
    media_type = first.content_type if is_shown else "application/octet-stream"
    return StreamingResponse(_contents(first.content, messages), 200, headers, media_type)


async def _contents(first: bytes, rest: AsyncGenerator[Chunk, None]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for message in rest:
            yield message.content
    finally:
        await rest.aclose()
