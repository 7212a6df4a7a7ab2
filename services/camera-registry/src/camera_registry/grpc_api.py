"""CameraRegistry over gRPC: converts messages for the use cases, and states who may call each
method."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from uuid import UUID

from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.fields import check_enums, check_text, enum_of, read_moment, read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, PageTokenWrong, checks
from grpc.aio import ServicerContext
from law.guards import CameraKinds
from law.regions import REGIONS
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import cameras_pb2_grpc
from tartip.common.v1 import common_pb2

from camera_registry.model.area import Circle, check_circle
from camera_registry.model.camera import Camera, CameraNotFound, CameraStatus, check_reason
from camera_registry.model.description import (
    DEDUPE_SECONDS_DEFAULT,
    TEXT_MAX,
    AiFunction,
    CameraKind,
    Description,
    Place,
    Verification,
    check_description,
)
from camera_registry.storage.cameras import Counts, Filters
from camera_registry.usecases.register import Register

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
# The command line finds a camera by the serial or name that its user gives.
_LISTERS = allow(services=(*_READERS.services, "tartip-cli"), roles=_READERS.roles)
POLICY: Policy = {
    _SERVICE + "RegisterCamera": _WRITERS,
    _SERVICE + "ChangeCamera": _WRITERS,
    _SERVICE + "RetireCamera": _WRITERS,
    _SERVICE + "GetCamera": _READERS,
    _SERVICE + "ListCameras": _LISTERS,
    _SERVICE + "GetStatistics": _READERS,
}


class CameraRegistryApi(cameras_pb2_grpc.CameraRegistryServicer):
    def __init__(self, register: Register, pages: Pages, kinds: Callable[[], CameraKinds]) -> None:
        """`kinds` returns what kinds of cameras may detect by the law in force now."""
        self._register = register
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
            content=request.description.SerializeToString(deterministic=True),
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
            check_reason(check, request.reason)
        camera = await self._register.retire(
            _known_id(request.camera_id), reason=request.reason, caller=current_caller()
        )
        return pb.RetireCameraResponse(camera=to_proto(camera))

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
        return pb.GetCameraResponse(camera=to_proto(camera))

    async def ListCameras(
        self, request: pb.ListCamerasRequest, context: ServicerContext
    ) -> pb.ListCamerasResponse:
        filters = read_filters(request)
        page = self._pages.read(request, current_caller())
        after = parse_id(page.spec.after[0]) if page.spec.after else None
        if page.spec.after and after is None:
            raise PageTokenWrong
        found = await self._register.page(
            filters, after=after, size=page.spec.size, caller=current_caller()
        )
        keys: list[tuple[str, ...]] = [(str(camera.camera_id),) for camera in found]
        return pb.ListCamerasResponse(
            cameras=[to_proto(camera) for camera in found],
            next_page_token=page.next_token(keys),
        )

    async def GetStatistics(
        self, request: pb.GetStatisticsRequest, context: ServicerContext
    ) -> pb.GetStatisticsResponse:
        with checks() as check:
            _check_region(check, request.region)
        found = await self._register.statistics(request.region, caller=current_caller())
        total = Counts("", *(sum(figures) for figures in zip(*map(_figures, found), strict=True)))
        return pb.GetStatisticsResponse(
            total=_statistics(total), regions=[_statistics(one) for one in found]
        )


def read_description(check: Checks, given: pb.CameraDescription, kinds: CameraKinds) -> Description:
    """Convert a camera's description. Every invalid field is added to `check`; use the result only
    if none was. `kinds` are those of the law in force."""
    at = "description."
    kind = enum_of(CameraKind, pb.CameraKind, given.kind)
    functions = [enum_of(AiFunction, pb.AiFunction, number) for number in given.functions]
    check.that(kind is not None, at + "kind", "one of the kinds of camera")
    check.that(None not in functions, at + "functions", "each one of the AI functions")
    description = Description(
        name=given.name,
        place=_read_place(given.place),
        kind=kind or CameraKind.OVERVIEW,
        serial=given.serial,
        make=given.make,
        model=given.model,
        azimuth_degrees=given.azimuth_degrees,
        owner_bin=given.owner_bin,
        connected=given.connected,
        functions=tuple(function for function in functions if function is not None),
        verifications=tuple(
            _read_verification(check, f"{at}verifications[{index}].", paper)
            for index, paper in enumerate(given.verifications)
        ),
        device_key=given.device_key,
        certificate_number=given.certificate_number,
        speed_tolerance_kmh=given.speed_tolerance_kmh,
        dedupe_seconds=given.dedupe_seconds or DEDUPE_SECONDS_DEFAULT,
        bases=_read_bases(check, at + "bases", given.bases),
    )
    check_description(check, description, kinds)
    return description


def _read_bases(check: Checks, at: str, given: Iterable[pb.FunctionBasis]) -> dict[AiFunction, str]:
    bases: dict[AiFunction, str] = {}
    for each in given:
        function = enum_of(AiFunction, pb.AiFunction, each.function)
        is_new = function is not None and function not in bases
        check.that(is_new, at, "one of the AI functions, each once")
        bases[function or AiFunction.PLATE] = each.basis
    return bases


def _read_place(place: common_pb2.Place) -> Place:
    return Place(place.latitude, place.longitude, place.region, place.address, place.kato)


def _read_verification(check: Checks, at: str, paper: pb.Verification) -> Verification:
    return Verification(
        paper.number,
        read_moment(check, at + "valid_from", paper.valid_from),
        read_moment(check, at + "valid_until", paper.valid_until),
    )


def read_filters(request: pb.ListCamerasRequest) -> Filters:
    """Return the filters of a list. Raises BadRequest with every invalid filter."""
    with checks() as check:
        _check_region(check, request.region)
        circle = _read_circle(check, request.area) if request.HasField("area") else None
        given = (
            ("function", request.function, pb.AiFunction),
            ("kind", request.kind, pb.CameraKind),
            ("status", request.status, pb.CameraStatus),
        )
        check_enums(check, given)
        check_text(check, "serial_or_name", request.serial_or_name, longest=TEXT_MAX)
    return Filters(
        region=request.region,
        function=enum_of(AiFunction, pb.AiFunction, request.function),
        kind=enum_of(CameraKind, pb.CameraKind, request.kind),
        status=enum_of(CameraStatus, pb.CameraStatus, request.status),
        circle=circle,
        with_retired=request.with_retired,
        serial_or_name=request.serial_or_name,
    )


def _read_circle(check: Checks, area: pb.Area) -> Circle:
    circle = Circle(area.latitude, area.longitude, area.radius_metres)
    check_circle(check, circle)
    return circle


def to_proto(camera: Camera) -> pb.Camera:
    return pb.Camera(
        camera_id=str(camera.camera_id),
        description=_description_to_proto(camera.description),
        status=pb.CameraStatus.Value(f"CAMERA_STATUS_{camera.status}"),
        status_as_of=to_timestamp(camera.status_as_of),
        version=camera.version,
        registered_at=to_timestamp(camera.registered_at),
        retired_at=to_timestamp(camera.retired_at),
        retired_reason=camera.retired_why,
    )


def _description_to_proto(given: Description) -> pb.CameraDescription:
    return pb.CameraDescription(
        name=given.name,
        place=common_pb2.Place(**asdict(given.place)),
        kind=pb.CameraKind.Value(f"CAMERA_KIND_{given.kind}"),
        serial=given.serial,
        make=given.make,
        model=given.model,
        azimuth_degrees=given.azimuth_degrees,
        owner_bin=given.owner_bin,
        connected=given.connected,
        functions=[pb.AiFunction.Value(f"AI_FUNCTION_{name}") for name in given.functions],
        verifications=map(_verification_to_proto, given.verifications),
        device_key=given.device_key,
        certificate_number=given.certificate_number,
        speed_tolerance_kmh=given.speed_tolerance_kmh,
        dedupe_seconds=given.dedupe_seconds,
        bases=[
            pb.FunctionBasis(function=pb.AiFunction.Value(f"AI_FUNCTION_{name}"), basis=basis)
            for name, basis in given.bases.items()
        ],
    )


def _verification_to_proto(paper: Verification) -> pb.Verification:
    return pb.Verification(
        number=paper.number,
        valid_from=to_timestamp(paper.valid_from),
        valid_until=to_timestamp(paper.valid_until),
    )


def _known_id(text: str) -> UUID:
    camera_id = parse_id(text)
    if camera_id is None:
        raise CameraNotFound
    telemetry.annotate(camera=text)
    return camera_id


def _check_region(check: Checks, region: str) -> None:
    check.that(region in ("", *REGIONS), "region", "an ISO 3166-2 code, or nothing")


def _figures(one: Counts) -> tuple[int, ...]:
    return one.registered, one.connected, one.with_ai, one.online, one.offline, one.unknown


def _statistics(one: Counts) -> pb.RegionStatistics:
    return pb.RegionStatistics(**asdict(one))
