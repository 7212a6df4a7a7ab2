"""CameraRegistry over gRPC: converts messages for the use cases, and states who may call each
method."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from uuid import UUID

from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import parse_id
from chassis.fields import read_moment, read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import PageTokenWrong, checks
from grpc.aio import ServicerContext
from law.guards import CameraKinds
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import cameras_pb2_grpc

from camera_registry.messages import (
    check_region,
    outcome_to_proto,
    read_batch,
    read_description,
    read_filters,
    to_proto,
)
from camera_registry.messages_history import read_version_key, version_key, version_to_proto
from camera_registry.messages_map import cluster_to_proto, read_spot, read_view, sight_to_proto
from camera_registry.messages_questions import read_nearest
from camera_registry.messages_record import content_of
from camera_registry.model.camera import CameraNotFound, check_reason
from camera_registry.model.imports import Batch, ImportNotFound
from camera_registry.model.merging import Seen
from camera_registry.storage.search import Place
from camera_registry.usecases.imports import Imports
from camera_registry.usecases.merging import Merging
from camera_registry.usecases.register import Register
from camera_registry.usecases.statistics import Statistics
from camera_registry.watching import WatchedChanges

_SERVICE = "/tartip.cameras.v1.CameraRegistry/"
_WRITERS = allow(roles=("camera_administrator",))
_READERS = allow(
    services=("inference-gateway", "violations", "citizen-reports"),
    roles=(
        "camera_administrator",
        "inspector",
        "dispatcher",
        "supervisor",
        "internal_security",
        "watchlist_officer",
        "auditor",
    ),
)
# The command line finds a camera by the serial or name that its user gives, and exports lists.
_LISTERS = allow(services=(*_READERS.services, "tartip-cli"), roles=_READERS.roles)
# The command line imports files, and made-up cameras.
_IMPORTERS = allow(services=("tartip-cli",), roles=_WRITERS.roles)
POLICY: Policy = {
    _SERVICE + "RegisterCamera": _WRITERS,
    _SERVICE + "ChangeCamera": _WRITERS,
    _SERVICE + "RetireCamera": _WRITERS,
    _SERVICE + "MergeCameras": _WRITERS,
    _SERVICE + "ImportCameras": _IMPORTERS,
    _SERVICE + "GetImport": _IMPORTERS,
    _SERVICE + "GetCamera": _READERS,
    _SERVICE + "ListCameraVersions": _READERS,
    _SERVICE + "ListCameras": _LISTERS,
    _SERVICE + "FindNearestCameras": _LISTERS,
    _SERVICE + "GetStatistics": _LISTERS,
    _SERVICE + "CountCamerasOnMap": _READERS,
    _SERVICE + "ListCamerasSeeing": _READERS,
    _SERVICE + "WatchCameras": _LISTERS,
}


@dataclass(frozen=True)
class UseCases:
    """The use cases that the methods of `CameraRegistryApi` call."""

    register: Register
    imports: Imports
    merging: Merging
    statistics: Statistics[pb.GetStatisticsResponse]
    watched: WatchedChanges


class CameraRegistryApi(cameras_pb2_grpc.CameraRegistryServicer):
    def __init__(self, use_cases: UseCases, pages: Pages, kinds: Callable[[], CameraKinds]) -> None:
        """`kinds` returns what kinds of cameras may detect by the law in force now."""
        self._register = use_cases.register
        self._imports = use_cases.imports
        self._merging = use_cases.merging
        self._statistics = use_cases.statistics
        self._watched = use_cases.watched
        self._pages = pages
        self._kinds = kinds

    async def RegisterCamera(
        self, request: pb.RegisterCameraRequest, context: ServicerContext
    ) -> pb.RegisterCameraResponse:
        with checks() as check:
            camera_id = read_new_id(check, "camera_id", request.camera_id)
            description = read_description(check, request.description, self._kinds())
        telemetry.annotate(camera=str(camera_id))
        camera = await self._register.register(
            camera_id,
            description,
            caller=current_caller(),
            content=content_of(request.description, self._register.keyring),
        )
        return pb.RegisterCameraResponse(camera=to_proto(camera))

    async def ChangeCamera(
        self, request: pb.ChangeCameraRequest, context: ServicerContext
    ) -> pb.ChangeCameraResponse:
        with checks() as check:
            check.that(request.version > 0, "version", "the version that was read, from 1")
            description = read_description(check, request.description, self._kinds())
        camera = await self._register.change(
            _known_id(request.camera_id),
            description,
            from_version=request.version,
            caller=current_caller(),
        )
        return pb.ChangeCameraResponse(camera=to_proto(camera))

    async def RetireCamera(
        self, request: pb.RetireCameraRequest, context: ServicerContext
    ) -> pb.RetireCameraResponse:
        with checks() as check:
            check.that(request.version >= 0, "version", "the version that was read, or 0")
            check_reason(check, request.reason)
        camera = await self._register.retire(
            _known_id(request.camera_id),
            reason=request.reason,
            from_version=request.version,
            caller=current_caller(),
        )
        return pb.RetireCameraResponse(camera=to_proto(camera))

    async def MergeCameras(
        self, request: pb.MergeCamerasRequest, context: ServicerContext
    ) -> pb.MergeCamerasResponse:
        with checks() as check:
            for name in ("version", "duplicate_version"):
                check.that(getattr(request, name) > 0, name, "the version that was read, from 1")
            is_other = request.duplicate_id != request.camera_id
            check.that(is_other, "duplicate_id", "another camera than the one that is kept")
            check_reason(check, request.reason)
        duplicate_id = _known_id(request.duplicate_id)
        camera = await self._merging.merge(
            _known_id(request.camera_id),
            duplicate_id,
            seen=Seen(request.version, request.duplicate_version),
            reason=request.reason,
            caller=current_caller(),
        )
        return pb.MergeCamerasResponse(camera=to_proto(camera))

    async def ImportCameras(
        self, request_iterator: AsyncIterator[pb.ImportCamerasRequest], context: ServicerContext
    ) -> AsyncIterator[pb.ImportCamerasResponse]:
        keyring = self._register.keyring
        batches = (
            await read_batch(request, self._kinds(), keyring) async for request in request_iterator
        )
        async with aclosing(read_ahead(batches)) as following:
            async for batch in following:
                telemetry.annotate(**{"import": str(batch.import_id)})
                yield outcome_to_proto(await self._imports.take(batch, current_caller()))

    async def GetImport(
        self, request: pb.GetImportRequest, context: ServicerContext
    ) -> pb.GetImportResponse:
        import_id = parse_id(request.import_id)
        if import_id is None:
            raise ImportNotFound
        standing = await self._imports.standing(import_id, current_caller())
        return pb.GetImportResponse(**asdict(standing))

    async def GetCamera(
        self, request: pb.GetCameraRequest, context: ServicerContext
    ) -> pb.GetCameraResponse:
        as_of = None
        if request.HasField("as_of"):
            with checks() as check:
                as_of = read_moment(check, "as_of", request.as_of)
        camera = await self._register.get(
            _known_id(request.camera_id), as_of=as_of, caller=current_caller()
        )
        answer = to_proto(camera)
        if as_of is None:  # the owner of the past is not kept
            owner_iin = await self._register.owner_iin(camera, caller=current_caller())
            answer.description.owner_iin = owner_iin
        return pb.GetCameraResponse(camera=answer)

    async def ListCameraVersions(
        self, request: pb.ListCameraVersionsRequest, context: ServicerContext
    ) -> pb.ListCameraVersionsResponse:
        page = self._pages.read(request, current_caller())
        found = await self._register.versions(
            _known_id(request.camera_id),
            before=read_version_key(page.spec.after),
            size=page.spec.size,
            caller=current_caller(),
        )
        return pb.ListCameraVersionsResponse(
            versions=[version_to_proto(version, changed) for version, changed in found],
            next_page_token=page.next_token([version_key(version) for version, _ in found]),
        )

    async def ListCameras(
        self, request: pb.ListCamerasRequest, context: ServicerContext
    ) -> pb.ListCamerasResponse:
        filters = read_filters(request)
        page = self._pages.read(request, current_caller())
        found = await self._register.page(
            filters,
            after=_read_place(page.spec.after),
            size=page.spec.size,
            caller=current_caller(),
        )
        keys = [_place_key(filters.place_of(camera)) for camera in found]
        return pb.ListCamerasResponse(
            cameras=[to_proto(camera) for camera in found],
            next_page_token=page.next_token(keys),
        )

    async def FindNearestCameras(
        self, request: pb.FindNearestCamerasRequest, context: ServicerContext
    ) -> pb.FindNearestCamerasResponse:
        centre, filters = read_nearest(request)
        found = await self._register.nearest(
            centre, filters, size=request.count, caller=current_caller()
        )
        return pb.FindNearestCamerasResponse(
            cameras=[
                pb.NearCamera(camera=to_proto(camera), distance_metres=metres)
                for camera, metres in found
            ]
        )

    async def GetStatistics(
        self, request: pb.GetStatisticsRequest, context: ServicerContext
    ) -> pb.GetStatisticsResponse:
        with checks() as check:
            check_region(check, request.region)
        return await self._statistics.of(request.region, caller=current_caller())

    async def CountCamerasOnMap(
        self, request: pb.CountCamerasOnMapRequest, context: ServicerContext
    ) -> pb.CountCamerasOnMapResponse:
        view, filters = read_view(request)
        clusters = await self._register.clusters(view, filters, caller=current_caller())
        return pb.CountCamerasOnMapResponse(clusters=map(cluster_to_proto, clusters))

    async def ListCamerasSeeing(
        self, request: pb.ListCamerasSeeingRequest, context: ServicerContext
    ) -> pb.ListCamerasSeeingResponse:
        spot, at = read_spot(request)
        sights = await self._register.seeing(spot, at, caller=current_caller())
        return pb.ListCamerasSeeingResponse(cameras=map(sight_to_proto, sights))

    async def WatchCameras(
        self, request: pb.WatchCamerasRequest, context: ServicerContext
    ) -> AsyncIterator[pb.WatchCamerasResponse]:
        async with aclosing(self._watched.responses(request, current_caller())) as responses:
            async for response in responses:
                yield response


def _place_key(place: Place) -> tuple[str, ...]:
    return str(place.camera_id), str(place.cell), place.text


def _read_place(key: tuple[str, ...]) -> Place | None:
    """The place in a page token, None for the first page. Raises PageTokenWrong."""
    if not key:
        return None
    camera_id = parse_id(key[0])
    if camera_id is None or len(key) != 3 or not key[1].isdecimal():
        raise PageTokenWrong
    return Place(camera_id, int(key[1]), key[2])


async def read_ahead(batches: AsyncIterator[Batch]) -> AsyncGenerator[Batch, None]:
    """Yield the batches in order; the next one is received while the caller processes a batch."""
    reading = asyncio.ensure_future(anext(batches, None))
    try:
        while (batch := await reading) is not None:
            reading = asyncio.ensure_future(anext(batches, None))
            yield batch
    finally:
        reading.cancel()


def _known_id(text: str) -> UUID:
    camera_id = parse_id(text)
    if camera_id is None:
        raise CameraNotFound
    telemetry.annotate(camera=text)
    return camera_id
