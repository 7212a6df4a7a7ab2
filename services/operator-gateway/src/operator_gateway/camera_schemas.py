"""The bodies of requests and answers about cameras over REST."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from operator_gateway.schemas import (
    Answer,
    Base64,
    Bytes,
    ClientMadeId,
    Count,
    Moment,
    Place,
    Request,
)

CameraKind = Literal[
    "overview", "face", "anpr", "speed_point", "speed_section", "red_light", "body", "drone"
]
AiFunction = Literal["plate", "face", "crowd", "left_object", "zone", "vehicle"]
SiteCategory = Literal[
    "state_critical", "strategic", "hazardous_industry", "economy_strategic", "mass_gathering"
]
CameraStatus = Literal["unknown", "online", "degraded", "offline", "retired", "tampered"]
StatusSource = Literal["register", "hub", "silence"]
StatusReason = Literal[
    "hub_silent",
    "unreachable",
    "not_reported",
    "picture_stale",
    "clock_off",
    "verification_ended",
    "flapping",
]
CameraOrder = Literal["id", "name"]
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
    """A video stream of a camera. The stream's password is never returned."""

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
    hub_id: str


class Camera(Answer):
    camera_id: str
    description: CameraDescription | None
    status: CameraStatus | None
    status_as_of: Moment
    version: int
    registered_at: Moment
    retired_at: Moment
    retired_reason: str
    status_source: StatusSource | None
    status_reason: StatusReason | None
    status_version: int
    clock_offset_milliseconds: int = Field(
        description="By how much its clock was ahead when that degraded it (clock_off), else 0."
    )
    merged_into: str = Field(description="Of a retired duplicate, the camera that was kept.")


class CameraAnswer(Answer):
    camera: Camera


class CameraPage(Answer):
    cameras: list[Camera]
    next_page_token: str


class CameraVersion(Answer):
    version: int
    held_from: Moment
    description: CameraDescription | None
    changed: list[str]


class CameraVersions(Answer):
    versions: list[CameraVersion]
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
    hub_id: str = Field("", description="The hub that reports on the camera.")


class RegisterCamera(Request):
    camera_id: ClientMadeId | None = None
    description: CameraDescriptionRequest


VersionOfIfMatch = Annotated[Count, Field(description="As in If-Match; may be left out.")]


class ChangeCamera(Request):
    version: VersionOfIfMatch = 0
    description: CameraDescriptionRequest


class RetireCamera(Request):
    version: VersionOfIfMatch = 0
    reason: str = Field(description="At most 500 characters.")


class MergeCameras(Request):
    version: VersionOfIfMatch = 0
    duplicate_id: str = Field(max_length=36, description="The camera that is retired.")
    duplicate_version: Count = Field(description="Its version that was read.")
    reason: str = Field(description="At most 500 characters.")


class NearCamera(Answer):
    camera: Camera | None
    distance_metres: float


class NearestCameras(Answer):
    cameras: list[NearCamera]
