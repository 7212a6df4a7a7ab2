"""Cameras: valid descriptions, and the life cycle of registration, change and retirement.

Pure: no clock, no storage. Moments and ids are passed in.
"""

import math
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from chassis.fields import check_point, check_text
from chassis.refusals import Checks, Kind, Refusal
from law.guards import CameraKinds
from law.identity_numbers import has_check_digit, is_bin
from law.regions import REGIONS
from law.regions.borders import is_on_earth, region_of
from law.regions.kato import check_kato

# The interval without a heartbeat after which a camera is no longer known to be alive.
SILENCE = timedelta(minutes=3)
DEDUPE_SECONDS_DEFAULT = 600
DEDUPE_SECONDS_MAX = 24 * 3600
TEXT_MAX = 200
ADDRESS_MAX = 500
REASON_MAX = 500
BASIS_MAX = 500
VERIFICATIONS_MAX = 100
TOLERANCE_KMH_MAX = 20.0
DEVICE_KEY_BYTES = 32
RADIUS_METRES_MAX = 50_000.0
EARTH_RADIUS_METRES = 6_371_008.8
# As in "rtsp://user:password@host".
_PASSWORD_IN_ADDRESS = re.compile(r"://[^/\s@]*:[^/\s@]*@")


class CameraKind(StrEnum):
    OVERVIEW = "OVERVIEW"
    FACE = "FACE"
    ANPR = "ANPR"
    SPEED_POINT = "SPEED_POINT"
    SPEED_SECTION = "SPEED_SECTION"
    RED_LIGHT = "RED_LIGHT"
    BODY = "BODY"
    DRONE = "DRONE"


class AiFunction(StrEnum):
    PLATE = "PLATE"
    FACE = "FACE"
    CROWD = "CROWD"
    LEFT_OBJECT = "LEFT_OBJECT"
    ZONE = "ZONE"
    VEHICLE = "VEHICLE"


class CameraStatus(StrEnum):
    UNKNOWN = "UNKNOWN"
    ONLINE = "ONLINE"
    DEGRADED = "DEGRADED"
    OFFLINE = "OFFLINE"
    RETIRED = "RETIRED"


# Searching for persons by their faces needs a legal basis of its own for each camera.
NEEDS_BASIS = (AiFunction.FACE,)
# Statuses that last only while heartbeats arrive.
ALIVE = (CameraStatus.ONLINE, CameraStatus.DEGRADED)


def verdict_on_silence(
    hears_since: datetime | None, now: datetime, silence: timedelta
) -> CameraStatus:
    """Return the status of a camera that sent no heartbeat for `silence`.

    The status is OFFLINE if the service has missed no heartbeats for that long, else UNKNOWN.
    `hears_since` is the moment since which it missed none, None while it is missing them.
    """
    listened = hears_since is not None and now - hears_since >= silence
    return CameraStatus.OFFLINE if listened else CameraStatus.UNKNOWN


class CameraNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "CAMERA_NOT_FOUND"


class CameraNotRegisteredThen(Refusal):
    kind = Kind.STATE
    code = "CAMERA_NOT_REGISTERED_THEN"


class CameraRetired(Refusal):
    kind = Kind.STATE
    code = "CAMERA_RETIRED"


class CameraChangedMeanwhile(Refusal):
    kind = Kind.CONFLICT
    code = "CAMERA_CHANGED_MEANWHILE"


class SerialTaken(Refusal):
    kind = Kind.EXISTS
    code = "SERIAL_TAKEN"


class RegionNotYours(Refusal):
    kind = Kind.FORBIDDEN
    code = "NOT_ALLOWED"


@dataclass(frozen=True)
class Place:
    latitude: float
    longitude: float
    region: str
    address: str
    kato: str = ""


@dataclass(frozen=True)
class Verification:
    number: str
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True)
class Description:
    """The properties of a camera that its administrator states."""

    name: str
    place: Place
    kind: CameraKind
    serial: str
    make: str
    model: str
    azimuth_degrees: float
    owner_bin: str
    connected: bool
    functions: tuple[AiFunction, ...]
    verifications: tuple[Verification, ...]
    device_key: bytes
    certificate_number: str
    speed_tolerance_kmh: float
    dedupe_seconds: int
    # By function: the act and article, or the decision, that allows it.
    bases: dict[AiFunction, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Camera:
    camera_id: UUID
    description: Description
    status: CameraStatus
    status_as_of: datetime
    version: int
    registered_at: datetime
    retired_at: datetime | None = None
    # Free text of an administrator, about no person.
    retired_why: str = ""

    @classmethod
    def register(cls, camera_id: UUID, description: Description, now: datetime) -> "Camera":
        """Return a new camera in its first version, with the status UNKNOWN."""
        return cls(camera_id, description, CameraStatus.UNKNOWN, now, 1, now)

    def change(self, description: Description, *, from_version: int) -> "Camera":
        """Return the next version; the camera itself if the description is the same. Raises
        CameraRetired, or CameraChangedMeanwhile if the current version is not `from_version`."""
        if self.retired_at is not None:
            raise CameraRetired
        if self.version != from_version:
            raise CameraChangedMeanwhile(facts={"version": str(self.version)})
        if description == self.description:
            return self
        return replace(self, description=description, version=self.version + 1)

    def retire(self, now: datetime, *, why: str = "") -> "Camera":
        """Return the next version, retired at `now`; the camera itself if it is already retired."""
        if self.retired_at is not None:
            return self
        return replace(
            self,
            status=CameraStatus.RETIRED,
            status_as_of=now,
            retired_at=now,
            retired_why=why,
            version=self.version + 1,
        )


@dataclass(frozen=True)
class Circle:
    latitude: float
    longitude: float
    radius_metres: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The south, west, north and east bounds, in degrees, of a box around the circle.

        The box spans all longitudes if the circle is close to a pole or crosses the 180th meridian.
        """
        height = math.degrees(self.radius_metres / EARTH_RADIUS_METRES)
        south, north = self.latitude - height, self.latitude + height
        narrowest = math.cos(math.radians(max(abs(south), abs(north))))
        if abs(south) >= 90 or abs(north) >= 90 or narrowest < 1e-6:
            return south, -180.0, north, 180.0
        width = height / narrowest
        west, east = self.longitude - width, self.longitude + width
        if west < -180 or east > 180:
            return south, -180.0, north, 180.0
        return south, west, north, east


def check_description(check: Checks, given: Description, kinds: CameraKinds) -> None:
    """Add every invalid field of a description to `check`, except enums and times, which were
    checked when the request was converted."""
    at = "description."
    _check_texts(check, given)
    check_place(check, at + "place.", given.place)
    check.that(0 <= given.azimuth_degrees < 360, at + "azimuth_degrees", "0 to below 360")
    is_firm = has_check_digit(given.owner_bin) and is_bin(given.owner_bin)
    check.that(is_firm, at + "owner_bin", "a BIN: 12 digits with their check digit")
    is_each_once = len(set(given.functions)) == len(given.functions)
    check.that(is_each_once, at + "functions", "each function once")
    _check_bases(check, given)
    _check_device(check, given)
    _check_papers(check, given, kinds)
    _check_verifications(check, given.verifications)


def check_place(check: Checks, at: str, place: Place) -> None:
    """Add every invalid field of a place to `check`. `at` is put before each field's name."""
    check_point(check, at, latitude=place.latitude, longitude=place.longitude)
    known = check.that(
        place.region in REGIONS, at + "region", 'an ISO 3166-2 code of Kazakhstan, such as "KZ-75"'
    )
    if is_on_earth(place.latitude, place.longitude):
        _check_region(check, at, place, known=known)
    check_kato(check, at + "kato", place.kato, place.region)
    check_text(check, at + "address", place.address, longest=ADDRESS_MAX, required=False)


def _check_region(check: Checks, at: str, place: Place, *, known: bool) -> None:
    """Check the region against the borders; a code that is not `known` was already refused."""
    region = region_of(place.latitude, place.longitude)
    if region is None:
        check.wrong(at.removesuffix("."), "a place in Kazakhstan", code="PLACE_ABROAD")
    elif known:
        check.that(
            place.region == region.code,
            at + "region",
            f"the region that the place lies in: {region.code}",
            code="REGION_MISMATCH",
        )


def check_circle(check: Checks, circle: Circle) -> None:
    """Add every invalid field of the circle, the `area` of a list request, to `check`."""
    check_point(check, "area.", latitude=circle.latitude, longitude=circle.longitude)
    check.that(
        0 < circle.radius_metres <= RADIUS_METRES_MAX,
        "area.radius_metres",
        f"above 0, at most {RADIUS_METRES_MAX:g}",
    )


def check_reason(check: Checks, reason: str) -> None:
    """Add the field `reason` of a retirement to `check` if it is too long; it may be empty."""
    check_text(check, "reason", reason, longest=REASON_MAX, required=False)


def _check_texts(check: Checks, given: Description) -> None:
    at = "description."
    is_number = any(each.isalnum() for each in given.serial)
    check.that(is_number or not given.serial, at + "serial", "a letter or a digit at least")
    for name, value in (("name", given.name), ("place.address", given.place.address)):
        has_password = _PASSWORD_IN_ADDRESS.search(value) is not None
        check.that(not has_password, at + name, "no address that holds a password")
    for name, value in (("name", given.name), ("serial", given.serial)):
        check_text(check, at + name, value, longest=TEXT_MAX, required=True)
    for name, value in (
        ("make", given.make),
        ("model", given.model),
        ("certificate_number", given.certificate_number),
    ):
        check_text(check, at + name, value, longest=TEXT_MAX, required=False)


def _check_device(check: Checks, given: Description) -> None:
    at = "description."
    is_key = len(given.device_key) in (0, DEVICE_KEY_BYTES)
    expected = f"an Ed25519 public key of {DEVICE_KEY_BYTES} bytes, or nothing"
    check.that(is_key, at + "device_key", expected)
    is_tolerance = 0 <= given.speed_tolerance_kmh <= TOLERANCE_KMH_MAX
    check.that(is_tolerance, at + "speed_tolerance_kmh", f"0 to {TOLERANCE_KMH_MAX:g}")
    is_interval = 0 < given.dedupe_seconds <= DEDUPE_SECONDS_MAX
    expected = f"0 (for {DEDUPE_SECONDS_DEFAULT}) to {DEDUPE_SECONDS_MAX}"
    check.that(is_interval, at + "dedupe_seconds", expected)


def _check_bases(check: Checks, given: Description) -> None:
    at = "description.bases"
    is_of_functions = set(given.bases) <= set(given.functions)
    check.that(is_of_functions, at, "bases of functions of the camera alone")
    for basis in given.bases.values():
        check_text(check, at, basis, longest=BASIS_MAX, required=True)
    for function in NEEDS_BASIS:
        has_basis = function not in given.functions or function in given.bases
        check.that(has_basis, at, f"the legal basis of {function}", code="BASIS_REQUIRED")


def _check_papers(check: Checks, given: Description, kinds: CameraKinds) -> None:
    """Of a kind that measures speed: type approval and verification (KoAP 822-1)."""
    if not kinds.measures_speed(given.kind):
        return
    for field_name, paper in (
        ("certificate_number", given.certificate_number),
        ("verifications", given.verifications),
    ):
        check.that(
            bool(paper),
            f"description.{field_name}",
            "a device that measures speed has a type approval and a verification",
            code="PAPERS_REQUIRED",
        )


def _check_verifications(check: Checks, verifications: tuple[Verification, ...]) -> None:
    at = "description.verifications"
    check.that(len(verifications) <= VERIFICATIONS_MAX, at, f"at most {VERIFICATIONS_MAX}")
    for index, verification in enumerate(verifications):
        number, lasts = verification.number, verification.valid_from < verification.valid_until
        check_text(check, f"{at}[{index}].number", number, longest=TEXT_MAX, required=True)
        check.that(lasts, f"{at}[{index}].valid_until", "after valid_from")
