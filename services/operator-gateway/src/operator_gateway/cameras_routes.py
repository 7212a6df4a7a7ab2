"""The register of cameras over REST."""

from datetime import datetime
from typing import Annotated, Literal

from chassis import telemetry
from fastapi import APIRouter, Query
from pydantic import AfterValidator, AwareDatetime, Field, model_validator
from tartip.cameras.v1 import cameras_pb2

from operator_gateway.mapping import to_message
from operator_gateway.operator_context import AsOperator
from operator_gateway.schemas import (
    Answer,
    Base64,
    Bytes,
    ClientMadeId,
    Count,
    Id,
    IdempotencyKey,
    Instant,
    Listing,
    Moment,
    Place,
    Region,
    Request,
    client_made_id,
)

router = APIRouter(prefix="/v1/cameras", tags=["cameras"])

CameraKind = Literal[
    "overview", "face", "anpr", "speed_point", "speed_section", "red_light", "body", "drone"
]
AiFunction = Literal["plate", "face", "crowd", "left_object", "zone", "vehicle"]
SiteCategory = Literal[
    "state_critical", "strategic", "hazardous_industry", "economy_strategic", "mass_gathering"
]
CameraStatus = Literal["unknown", "online", "degraded", "offline", "retired"]
StreamRole = Literal["main", "sub"]


def _convertible(value: datetime) -> datetime:
    if not 1 < value.year < 9999:
        raise ValueError("must lie in the years 2 to 9998")
    return value


# The register checks what is in a description, and names all that is wrong with it at once. So only
# what no message can hold is refused here.
CameraMoment = Annotated[AwareDatetime, AfterValidator(_convertible)]
Whole = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]


class Verification(Answer):
    number: str
    valid_from: Moment
    valid_until: Moment


class FunctionBasis(Answer):
    function: AiFunction | None
    basis: str


class CameraStream(Answer):
    """A stream; its password is never answered."""

    name: str
    url: str
    user: str
    role: StreamRole | None
    has_password: bool


class CameraDescription(Answer):
    name: str
    place: Place | None
    kind: CameraKind | None
    serial: str
    make: str
    model: str
    azimuth_degrees: float
    owner_bin: str
    connected: bool
    functions: list[AiFunction | None]
    verifications: list[Verification]
    device_key: Base64
    certificate_number: str
    speed_tolerance_kmh: float
    dedupe_seconds: int
    bases: list[FunctionBasis]
    site: str
    site_category: SiteCategory | None
    operator_bin: str
    height_metres: float
    field_of_view_degrees: float
    retention_days: int
    streams: list[CameraStream]
    onvif_profiles: list[str]
    control_centre: str
    owner_iin: str
    owner_is_person: bool
    certificate_valid_until: Moment


class Camera(Answer):
    camera_id: str
    description: CameraDescription | None
    status: CameraStatus | None
    status_as_of: Moment
    version: int
    registered_at: Moment
    retired_at: Moment
    retired_reason: str


class CameraAnswer(Answer):
    camera: Camera


class CameraPage(Answer):
    cameras: list[Camera]
    next_page_token: str


class PlaceRequest(Request):
    latitude: float = Field(description="Degrees, -90 to 90.")
    longitude: float = Field(description="Degrees, -180 to 180.")
    region: str = Field(examples=["KZ-75"])
    address: str = Field("", description="At most 500 characters.")
    kato: str = Field("", description="KATO code of the district or settlement: 9 digits.")


class VerificationRequest(Request):
    number: str = Field(description="1 to 200 characters.")
    valid_from: CameraMoment
    valid_until: CameraMoment


class FunctionBasisRequest(Request):
    function: AiFunction
    basis: str = Field(
        description="The act with its article, or the decision with its number and date: 1 to 500"
        " characters.",
    )


class CameraStreamRequest(Request):
    name: str = Field(description="1 to 100 characters.")
    url: str = Field(
        description="rtsp, rtsps, http or https, at most 500 characters. User and password in it"
        " are moved to their fields."
    )
    user: str = Field("", description="At most 200 characters.")
    password: str = Field(
        "",
        repr=False,
        description="At most 200 characters; never answered. Empty: a stream of this name keeps"
        " the one that it has.",
    )
    role: StreamRole
    has_password: bool = Field(False, description="Ignored, so that an answer can be sent back.")


class CameraDescriptionRequest(Request):
    name: str = Field(description="1 to 200 characters.")
    place: PlaceRequest
    kind: CameraKind
    serial: str = Field(description="1 to 200 characters.")
    make: str = Field("", description="At most 200 characters.")
    model: str = Field("", description="At most 200 characters.")
    azimuth_degrees: float = Field(0, description="0 to below 360.")
    owner_bin: str = Field("", description="12 digits; either this or owner_iin.")
    connected: bool = False
    functions: list[AiFunction] = Field([])
    verifications: list[VerificationRequest] = Field([], description="At most 100.")
    device_key: Bytes = b""
    certificate_number: str = Field("", description="At most 200 characters.")
    speed_tolerance_kmh: float = Field(0, description="0 to 20.")
    dedupe_seconds: Whole = Field(0, description="0 (for 600) to 86400.")
    bases: list[FunctionBasisRequest] = Field([])
    site: str = Field("", description="The site that the camera watches: at most 200 characters.")
    site_category: SiteCategory | None = None
    operator_bin: str = Field("", description="Empty: the owner runs the camera.")
    height_metres: float = Field(0, description="Above the ground, 0 to 500; 0: not known.")
    field_of_view_degrees: float = Field(0, description="0 to 360; 0: not known.")
    retention_days: Whole = Field(0, description="0 to 3650; 0: not known.")
    streams: list[CameraStreamRequest] = Field([], description="At most 16.")
    onvif_profiles: list[str] = Field([], description="Of A, C, D, G, M, Q, S and T, each once.")
    control_centre: str = Field(
        "", description="At most 200 characters; only of a camera that is connected."
    )
    owner_iin: str = Field(
        "", repr=False, description="IIN of an owner who is a person: 12 digits."
    )
    owner_is_person: bool = Field(
        False, description="With neither BIN nor IIN, a change leaves the owner as it is."
    )
    certificate_valid_until: CameraMoment | None = None


class RegisterCamera(Request):
    camera_id: ClientMadeId | None = None
    description: CameraDescriptionRequest


class ChangeCamera(Request):
    version: Count = Field(description="The version that was read.")
    description: CameraDescriptionRequest


class RetireCamera(Request):
    reason: str = Field(description="At most 500 characters.")


class CameraListing(Listing):
    region: Region = ""
    function: AiFunction | None = None
    kind: CameraKind | None = None
    status: CameraStatus | None = None
    with_retired: bool = False
    serial_or_name: str = Field("", max_length=200)
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    radius_metres: float | None = Field(None, gt=0, le=50_000)

    @model_validator(mode="after")
    def area_is_whole(self) -> "CameraListing":
        given = [part is not None for part in (self.latitude, self.longitude, self.radius_metres)]
        if any(given) and not all(given):
            raise ValueError("an area needs latitude, longitude and radius_metres")
        return self

    def request(self) -> cameras_pb2.ListCamerasRequest:
        fields = {"latitude", "longitude", "radius_metres"}
        flat = self.model_copy(update=dict.fromkeys(fields))
        request = flat.message(cameras_pb2.ListCamerasRequest)
        if self.radius_metres is not None:
            request.area.CopyFrom(cameras_pb2.Area(**self.model_dump(include=fields)))
        return request


@router.post("", status_code=201)
async def register_camera(
    body: RegisterCamera, context: AsOperator, idempotency_key: IdempotencyKey = None
) -> CameraAnswer:
    """Registers a camera under an id that the client makes (`camera_id`, or the header
    Idempotency-Key). Role camera_administrator."""
    camera_id = client_made_id(body.camera_id, idempotency_key, "camera_id")
    request = body.message(cameras_pb2.RegisterCameraRequest, camera_id=camera_id)
    reply = await context.call(context.peers.cameras.RegisterCamera, request)
    telemetry.annotate(camera=reply.camera.camera_id)
    return CameraAnswer.of(reply)


@router.get("")
async def list_cameras(
    listing: Annotated[CameraListing, Query()], context: AsOperator
) -> CameraPage:
    """Cameras in order of id, filtered by region, AI function, kind, status, area, and serial
    number or name."""
    return CameraPage.of(await context.call(context.peers.cameras.ListCameras, listing.request()))


class OwnerSearch(Listing):
    owner_iin: str = Field(repr=False, description="IIN of an owner who is a person.")


@router.post("/owned")
async def list_owned_cameras(search: OwnerSearch, context: AsOperator) -> CameraPage:
    """Cameras of a person. The search is audited. It is a POST, so that no IIN stands in an
    address. Roles camera_administrator and supervisor."""
    request = search.message(cameras_pb2.ListCamerasRequest)
    return CameraPage.of(await context.call(context.peers.cameras.ListCameras, request))


@router.get("/{camera_id}")
async def get_camera(
    camera_id: Id, context: AsOperator, as_of: Annotated[Instant | None, Query()] = None
) -> CameraAnswer:
    """One camera with its current description, or with the one that was valid at `as_of`.

    The IIN of an owner who is a person is answered to the roles camera_administrator and supervisor
    with the header Tartip-Purpose, and that is audited."""
    request = to_message({"camera_id": camera_id, "as_of": as_of}, cameras_pb2.GetCameraRequest)
    reply = await context.call(context.peers.cameras.GetCamera, request)
    telemetry.annotate(camera=reply.camera.camera_id)
    return CameraAnswer.of(reply)


@router.put("/{camera_id}")
async def change_camera(camera_id: Id, body: ChangeCamera, context: AsOperator) -> CameraAnswer:
    """Replaces a camera's description. Refused if the camera's version is no longer `version`. Role
    camera_administrator."""
    request = body.message(cameras_pb2.ChangeCameraRequest, camera_id=camera_id)
    reply = await context.call(context.peers.cameras.ChangeCamera, request)
    telemetry.annotate(camera=reply.camera.camera_id)
    return CameraAnswer.of(reply)


@router.post("/{camera_id}/retire")
async def retire_camera(camera_id: Id, body: RetireCamera, context: AsOperator) -> CameraAnswer:
    """Takes a camera out of service permanently. Role camera_administrator."""
    request = body.message(cameras_pb2.RetireCameraRequest, camera_id=camera_id)
    reply = await context.call(context.peers.cameras.RetireCamera, request)
    telemetry.annotate(camera=reply.camera.camera_id)
    return CameraAnswer.of(reply)
