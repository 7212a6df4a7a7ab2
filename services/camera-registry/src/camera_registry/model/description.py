"""What an administrator states about a camera, and which descriptions are valid."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from chassis.fields import check_point, check_text
from chassis.refusals import Checks
from law.guards import CameraKinds
from law.regions import REGIONS
from law.regions.borders import is_on_earth, region_of
from law.regions.kato import check_kato

from camera_registry.model.owner import check_bin, check_owner
from camera_registry.model.streams import (
    CameraStream,
    check_streams,
    holds_password,
    with_kept_passwords,
)
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
ONVIF_PROFILES = frozenset("ACDGMQST")
SerialKey = tuple[str, str]


class CameraKind(StrEnum):
    """What a camera is built for."""

    OVERVIEW = "OVERVIEW"
    FACE = "FACE"
    ANPR = "ANPR"
    SPEED_POINT = "SPEED_POINT"
    SPEED_SECTION = "SPEED_SECTION"
    RED_LIGHT = "RED_LIGHT"
    BODY = "BODY"
    DRONE = "DRONE"


class AiFunction(StrEnum):
    """The functions for which models examine a camera's pictures."""

    PLATE = "PLATE"
    FACE = "FACE"
    CROWD = "CROWD"
    LEFT_OBJECT = "LEFT_OBJECT"
    ZONE = "ZONE"
    VEHICLE = "VEHICLE"


class SiteCategory(StrEnum):
    """Categories of sites vulnerable to terrorism (government resolution 234 of 12.04.2021).

    The wording of the categories is assumed, not checked against the resolution.
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
    """Where a camera is: WGS 84 degrees, the region ("KZ-75"), an address and, if stated, the KATO
    code of the locality."""

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
    """The metrological verification of a measuring device, with its number and validity."""

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
    # Those of now: descriptions of the past, and those of a list, have none.
    streams: tuple[CameraStream, ...] = ()
    onvif_profiles: tuple[str, ...] = ()
    control_centre: str = ""
    certificate_valid_until: datetime | None = None
    # Of an owner who is a person: the IIN as given in a request, else ""; and its keyed hash, b""
    # where that was not read. Such a description has no `owner_bin`.
    owner_iin: str = field(default="", repr=False, compare=False)
    owner_index: bytes = b""

    @property
    def is_all_in_its_row(self) -> bool:
        """Whether the description is stored in the camera's row alone.

        Streams and an owner's IIN are stored in other tables; without them the answer is True.
        """
        return not (self.streams or self.owner_iin)

    def needs_hub(self, before: "Description | None") -> bool:
        """Whether the description names a hub that must be checked before it is accepted.

        `before` is the camera's present description; None stands for a new camera, whose hub is
        always checked. Otherwise a hub is checked if the change concerns the hub or the region, or
        disconnects the camera. In all other cases the camera keeps its hub, even a revoked one.
        """
        if self.hub_id is None:
            return False
        if before is None or self.hub_id != before.hub_id:
            return True
        is_cut_off = before.connected and not self.connected
        return is_cut_off or self.place.region != before.place.region

    @property
    def names_owner(self) -> bool:
        """Whether there is an owner: an organisation's BIN, a person's IIN or its keyed hash."""
        return bool(self.owner_bin or self.owner_iin or self.owner_index)

    def kept_from(self, known: "Description") -> "Description":
        """Return the description with missing parts taken from the `known` one.

        A stream without a password hash gets the hash of the known stream with the same name and
        server. If neither a BIN nor an IIN's hash is given, the hash of the known IIN is taken.
        """
        is_left = not (self.owner_bin or self.owner_index)
        if not self.streams and not is_left:
            return self
        return replace(
            self,
            streams=tuple(with_kept_passwords(self.streams, known.streams)),
            owner_index=known.owner_index if is_left else self.owner_index,
        )

    @cached_property
    def serial_key(self) -> SerialKey:
        """The normalised serial number and make. No two cameras in service have the same pair."""
        return folded(self.serial), folded(self.make)


def check_description(
    check: Checks, given: Description, kinds: CameraKinds, *, is_person: bool = False
) -> None:
    """Add every invalid field of a description to `check`.

    Enums and times are not checked here, but when the request is converted. `is_person` says that
    the owner is a person; neither BIN nor IIN is required then.
    """
    at = "description."
    _check_texts(check, given)
    check_place(check, at + "place.", given.place)
    check.that(0 <= given.azimuth_degrees < 360, at + "azimuth_degrees", "0 to below 360")
    check_owner(
        check,
        at,
        owner_bin=given.owner_bin,
        owner_iin=given.owner_iin,
        is_person=is_person,
    )
    if given.operator_bin:
        check_bin(check, at + "operator_bin", given.operator_bin)
    is_each_once = len(set(given.functions)) == len(given.functions)
    check.that(is_each_once, at + "functions", "each function once")
    _check_view(check, given)
    _check_bases(check, given)
    _check_device(check, given)
    _check_papers(check, given, kinds)
    _check_verifications(check, given.verifications)
    _check_connection(check, given)


def _check_connection(check: Checks, given: Description) -> None:
    """How the camera's pictures are fetched, and which centre shows them."""
    at = "description."
    check_streams(check, at + "streams", given.streams)
    profiles = given.onvif_profiles
    is_known = ONVIF_PROFILES.issuperset(profiles) and len(set(profiles)) == len(profiles)
    check.that(is_known, at + "onvif_profiles", "each once, of A, C, D, G, M, Q, S and T")
    is_shown = given.connected or not given.control_centre
    check.that(is_shown, at + "control_centre", "a centre only of a camera that is connected")
    has_certificate = given.certificate_valid_until is None or bool(given.certificate_number)
    expected = "only with the number of the certificate"
    check.that(has_certificate, at + "certificate_valid_until", expected)


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
    check_line(check, at + "address", place.address, longest=ADDRESS_MAX)


def _check_region(check: Checks, at: str, place: Place, *, known: bool) -> None:
    """Check the region against the borders; a code that is not `known` was already refused."""
    region = region_of(place.latitude, place.longitude)
    if region is None and region_of(place.longitude, place.latitude):
        expected = "a place in Kazakhstan: latitude and longitude look swapped"
        check.wrong(at.removesuffix("."), expected, code="PLACE_SWAPPED")
    elif region is None:
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
    check_line(check, at + "name", given.name, longest=TEXT_MAX, required=True)
    # Invisible characters make no difference to a serial number.
    check_line(check, at + "serial", serial, longest=TEXT_MAX, required=True, with_invisible=True)
    for name, value in (
        ("make", given.make),
        ("model", given.model),
        ("certificate_number", given.certificate_number),
        ("site", given.site),
        ("control_centre", given.control_centre),
    ):
        check_line(check, at + name, value, longest=TEXT_MAX)


def check_line(
    check: Checks,
    name: str,
    text: str,
    *,
    longest: int,
    required: bool = False,
    with_invisible: bool = False,
) -> None:
    """Check a text field as `check_text` does, and refuse an address that contains a password.

    Everybody who may see the camera is shown the text. It has at most `longest` characters. The
    other arguments are as for `check_text`.
    """
    if holds_password(text):
        check.wrong(name, "no address that holds a password")
    check_text(check, name, text, longest=longest, required=required, with_invisible=with_invisible)


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
        check_line(check, at, basis, longest=BASIS_MAX, required=True)
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
        check_line(check, f"{at}[{index}].number", number, longest=TEXT_MAX, required=True)
        check.that(lasts, f"{at}[{index}].valid_until", "after valid_from")
