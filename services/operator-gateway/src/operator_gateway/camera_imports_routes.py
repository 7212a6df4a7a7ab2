"""Exports and imports many cameras at once over REST.

An export returns cameras in the form that an import accepts as rows. For a bulk change, export the
cameras, edit the rows and import them; a dry run of the import tells what would change.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import count
from typing import Annotated

from chassis import telemetry
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from tartip.cameras.v1 import cameras_pb2

from operator_gateway.camera_schemas import CameraDescription, CameraDescriptionRequest
from operator_gateway.cameras_routes import CameraFilters
from operator_gateway.mapping import to_plain
from operator_gateway.operator_context import AsOperator, OperatorContext
from operator_gateway.schemas import PAGE_SIZE_MAX, Answer, ClientMadeId, Count, Request

router = APIRouter(prefix="/v1/cameras", tags=["cameras"])
ROWS_MAX = 1000
LINES = "application/x-ndjson"


class ExportedCamera(Answer):
    """A line of an export, in the form that an import accepts as a row."""

    row: int
    camera_id: str
    version: int
    description: CameraDescription


class ImportedCameraRequest(Request):
    row: Count = Field(description="From 1, rising: the number by which refusals name it.")
    camera_id: str = Field(
        "", max_length=36, description="Empty: sought by serial number and make."
    )
    version: Count = Field(
        0, description="That the description was made from: of another one it is refused. 0: any."
    )
    description: CameraDescriptionRequest


class ImportCameras(Request):
    import_id: ClientMadeId
    number: Count = Field(1, description="Of the batch, from 1; one more with each.")
    dry_run: bool = Field(default=False, description="Answers what would be done; does nothing.")
    cameras: list[ImportedCameraRequest] = Field(min_length=1, max_length=ROWS_MAX)


class RowFinding(Answer):
    row: int
    field: str
    reason: str
    expected: str
    camera_id: str


class ImportOutcome(Answer):
    number: int
    added: int
    changed: int
    unchanged: int
    refused: list[RowFinding]
    probable_duplicates: list[RowFinding]


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {LINES: {}}, "model": ExportedCamera}},
)
async def export_cameras(
    filters: Annotated[CameraFilters, Query()], context: AsOperator
) -> StreamingResponse:
    """Streams all cameras that match the filters, one JSON object per line. Each line is a row for
    an import. If the export fails midway, the HTTP response is left incomplete, so that no client
    takes it for a complete one."""
    wanted = filters.request()
    wanted.page.size = PAGE_SIZE_MAX
    # The first page is awaited before the status is sent, so that a refusal can set it.
    first = await context.call(context.peers.cameras.ListCameras, wanted)
    return StreamingResponse(_lines(context, wanted, first), media_type=LINES)


@router.post("/import")
async def import_cameras(body: ImportCameras, context: AsOperator) -> ImportOutcome:
    """Registers new cameras and changes existing ones, from one batch of an import. Wrong rows are
    refused, with a list of their wrong fields. The fields `import_id` and `number` identify a
    batch. If a batch is sent again with the same rows, its first outcome is returned. Role
    camera_administrator."""
    request = body.message(cameras_pb2.ImportCamerasRequest)
    telemetry.annotate(**{"import": body.import_id})
    stream = context.stream(context.peers.cameras.ImportCameras, iter([request]))
    async with aclosing(stream) as answers:
        return ImportOutcome.of(await anext(answers))


async def _lines(
    context: OperatorContext,
    wanted: cameras_pb2.ListCamerasRequest,
    page: cameras_pb2.ListCamerasResponse,
) -> AsyncIterator[bytes]:
    """The lines of a page and of the pages after it, yielded a page at a time."""
    before = 0
    while True:
        yield "".join(map(_line, count(before + 1), page.cameras)).encode()
        before += len(page.cameras)
        if not page.next_page_token:
            return
        wanted.page.token = page.next_page_token
        page = await context.call(context.peers.cameras.ListCameras, wanted)


def _line(number: int, camera: cameras_pb2.Camera) -> str:
    exported = ExportedCamera(
        row=number,
        camera_id=camera.camera_id,
        version=camera.version,
        description=CameraDescription.model_validate(to_plain(camera.description)),
    )
    return exported.model_dump_json() + "\n"
