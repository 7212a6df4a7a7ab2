"""What an administrator states about a camera, and which descriptions are valid."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from uuid import UUID

from chassis.fields import check_point, check_text
from chassis.refusals import Checks
from law.guards import CameraKinds
from law.identity_numbers import has_check_digit, is_bin
from law.regions import REGIONS
from law.regions.borders import is_on_earth, region_of
from law.regions.kato import check_kato

from camera_registry.serials import folded

DEDUPE_SECONDS_DEFAULT = 600
DEDUPE_SECONDS_MAX = 24 * 3600
TEXT_MAX = 200
ADDRESS_MAX = 500
BASIS_MAX = 500
VERIFICATIONS_MAX = 100
TOLERANCE_KMH_MAX = 20.0
DEVICE_KEY_BYTES = 32
HEIGHT_METRES_MAX = 500.0
RETENTION_DAYS_MAX = 3650
# As in "rtsp://user:password@host".
SerialKey = tuple[str, str]
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


class SiteCategory(StrEnum):
    """Categories of sites vulnerable to terrorism (government resolution 234 of 12.04.2021).

    Their wording is assumed.
    """

    STATE_CRITICAL = "STATE_CRITICAL"
    STRATEGIC = "STRATEGIC"
    HAZARDOUS_INDUSTRY = "HAZARDOUS_INDUSTRY"
    ECONOMY_STRATEGIC = "ECONOMY_STRATEGIC"
    MASS_GATHERING = "MASS_GATHERING"


# Searching for persons by their faces needs a legal basis of its own for each camera.
NEEDS_BASIS = (AiFunction.FACE,)


@dataclass(frozen=True)
class Place:
    latitude: float
    longitude: float
    region: str
    address: str
    kato: str = ""

    @property
    def point(self) -> tuple[float, float]:
        """Latitude and longitude, in WGS 84 degrees."""
        return self.latitude, self.longitude


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
    # The site that the camera watches; None if it is in no category.
    site: str = ""
    site_category: SiteCategory | None = None
    # Who runs the camera; "" is its owner.
    operator_bin: str = ""
    # 0 stands for unknown.
    height_metres: float = 0
    field_of_view_degrees: float = 0
    retention_days: int = 0
    # The hub that reports on the camera, None if none does.
    hub_id: UUID | None = None

    @cached_property
    def serial_key(self) -> SerialKey:
        """The normalised serial number and make. No two cameras in service have the same pair."""
        return folded(self.serial), folded(self.make)


def check_description(check: Checks, given: Description, kinds: CameraKinds) -> None:
    """Add every invalid field of a description to `check`, except enums and times, which were
    checked when the request was converted."""
    at = "description."
    _check_texts(check, given)
    check_place(check, at + "place.", given.place)
    check.that(0 <= given.azimuth_degrees < 360, at + "azimuth_degrees", "0 to below 360")
    _check_bin(check, at + "owner_bin", given.owner_bin)
    if given.operator_bin:
        _check_bin(check, at + "operator_bin", given.operator_bin)
    is_each_once = len(set(given.functions)) == len(given.functions)
    check.that(is_each_once, at + "functions", "each function once")
    _check_view(check, given)
    _check_bases(check, given)
    _check_device(check, given)
    _check_papers(check, given, kinds)
    _check_verifications(check, given.verifications)


def _check_bin(check: Checks, name: str, number: str) -> None:
    check.that(_is_firm(number), name, "a BIN: 12 digits with their check digit")


# Few firms own many cameras.
@lru_cache(maxsize=4096)
def _is_firm(number: str) -> bool:
    return has_check_digit(number) and is_bin(number)


def _check_view(check: Checks, given: Description) -> None:
    """What the camera watches, and from where."""
    at = "description."
    is_named = given.site_category is None or bool(given.site)
    check.that(is_named, at + "site", "the site of this category")
    is_height = 0 <= given.height_metres <= HEIGHT_METRES_MAX
    check.that(is_height, at + "height_metres", f"0 to {HEIGHT_METRES_MAX:g}")
    is_angle = 0 <= given.field_of_view_degrees <= 360
    check.that(is_angle, at + "field_of_view_degrees", "0 to 360")
    is_retention = 0 <= given.retention_days <= RETENTION_DAYS_MAX
    check.that(is_retention, at + "retention_days", f"0 to {RETENTION_DAYS_MAX}")


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


def _check_texts(check: Checks, given: Description) -> None:
    at = "description."
    serial = given.serial
    is_number = serial[:1].isalnum() or any(each.isalnum() for each in serial)
    check.that(is_number or not serial, at + "serial", "a letter or a digit at least")
    for name, value in (
        ("name", given.name),
        ("place.address", given.place.address),
        ("site", given.site),
    ):
        if "://" in value and _PASSWORD_IN_ADDRESS.search(value):
            check.wrong(at + name, "no address that holds a password")
    for name, value in (("name", given.name), ("serial", given.serial)):
        check_text(check, at + name, value, longest=TEXT_MAX, required=True)
    for name, value in (
        ("make", given.make),
        ("model", given.model),
        ("certificate_number", given.certificate_number),
        ("site", given.site),
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
