"""Converts between the protobuf messages of the service's API and the model."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache
from itertools import pairwise

from chassis.clock import to_timestamp
from chassis.fields import check_enums, check_text, enum_of, read_id, read_moment, read_new_id
from chassis.refusals import Checks, checks
from law.guards import CameraKinds
from law.regions import REGIONS
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2
from vault.keyring import Keyring

from camera_registry.events import reason_to_proto, status_to_proto
from camera_registry.messages_questions import read_more_filters
from camera_registry.messages_record import (
    read_certificate_validity,
    read_owner_filter,
    read_streams,
    streams_to_proto,
    without_secrets,
)
from camera_registry.model.camera import Camera
from camera_registry.model.description import (
    DEDUPE_SECONDS_DEFAULT,
    TEXT_MAX,
    AiFunction,
    CameraKind,
    Description,
    Place,
    SiteCategory,
    Verification,
    check_description,
)
from camera_registry.model.imports import ROWS_MAX, Batch, Outcome, Row
from camera_registry.model.status import CameraStatus
from camera_registry.storage.counts import RegionCounts, total
from camera_registry.storage.search import Filters

# Rows that are converted without a pause.
ROWS_AT_ONCE = 50


def read_description(check: Checks, given: pb.CameraDescription, kinds: CameraKinds) -> Description:
    """Convert a camera's description. Every invalid field is added to `check`; use the result only
    if no field was invalid. `kinds` says what each kind of camera may detect by law."""
    at = "description."
    kind = enum_of(CameraKind, pb.CameraKind, given.kind)
    functions = [enum_of(AiFunction, pb.AiFunction, number) for number in given.functions]
    check.that(kind is not None, at + "kind", "one of the kinds of camera")
    check_enums(check, ((at + "site_category", given.site_category, pb.SiteCategory),))
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
        site=given.site,
        site_category=enum_of(SiteCategory, pb.SiteCategory, given.site_category),
        operator_bin=given.operator_bin,
        height_metres=given.height_metres,
        field_of_view_degrees=given.field_of_view_degrees,
        retention_days=given.retention_days,
        hub_id=read_id(check, at + "hub_id", given.hub_id) if given.hub_id else None,
        streams=read_streams(given.streams) if given.streams else (),
        onvif_profiles=tuple(given.onvif_profiles),
        control_centre=given.control_centre,
        certificate_valid_until=read_certificate_validity(check, given),
        owner_iin=given.owner_iin,
    )
    check_description(check, description, kinds, is_person=given.owner_is_person)
    return description


async def read_batch(
    request: pb.ImportCamerasRequest, kinds: CameraKinds, keyring: Keyring
) -> Batch:
    """Convert a batch of an import. Invalid fields of a row are kept as the row's `errors`.

    Raises BadRequest if a field outside the rows is invalid. `kinds` is as in `read_description`.
    For the batch's `sha256`, each secret in the rows is first replaced by its keyed hash, made with
    `keyring`.
    """
    given, rows, digest = request.cameras, [], hashlib.sha256()
    with checks() as check:
        import_id = read_new_id(check, "import_id", request.import_id)
        check.that(request.number > 0, "number", "1, and one more with each batch")
        check.that(0 < len(given) <= ROWS_MAX, "cameras", f"1 to {ROWS_MAX}")
        numbers = [camera.row for camera in given]
        rises = all(before < after for before, after in pairwise([0, *numbers]))
        check.that(rises, "cameras.row", "numbers from 1 that rise")
    for place, camera in enumerate(given):
        if place % ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)  # other calls are answered meanwhile
        rows.append(_read_row(camera, kinds))
        digest.update(_content_of(camera, keyring))
    assert import_id is not None
    return Batch(import_id, request.number, tuple(rows), digest.digest(), request.dry_run)


def _content_of(given: pb.ImportedCamera, keyring: Keyring) -> bytes:
    hidden = without_secrets(given.description, keyring)
    if hidden is not given.description:
        shown = pb.ImportedCamera()
        shown.CopyFrom(given)
        shown.description.CopyFrom(hidden)
        given = shown
    return given.SerializeToString(deterministic=True)


def _read_row(given: pb.ImportedCamera, kinds: CameraKinds) -> Row:
    check = Checks()
    camera_id = read_new_id(check, "camera_id", given.camera_id) if given.camera_id else None
    description = read_description(check, given.description, kinds)
    return Row(given.row, camera_id, description, tuple(check.errors), given.version)


def outcome_to_proto(outcome: Outcome) -> pb.ImportCamerasResponse:
    return pb.ImportCamerasResponse(
        number=outcome.number,
        added=outcome.added,
        changed=outcome.changed,
        unchanged=outcome.unchanged,
        refused=[pb.RowFinding(**asdict(finding)) for finding in outcome.refused],
        probable_duplicates=[
            pb.RowFinding(**asdict(finding)) for finding in outcome.probable_duplicates
        ],
    )


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
    """Return the filters of a request to list cameras. Raises BadRequest with every invalid
    filter."""
    with checks() as check:
        check_region(check, request.region)
        given = (
            ("function", request.function, pb.AiFunction),
            ("kind", request.kind, pb.CameraKind),
            ("status", request.status, pb.CameraStatus),
        )
        check_enums(check, given)
        called = request.serial_or_name
        check_text(check, "serial_or_name", called, longest=TEXT_MAX, with_invisible=True)
        owner_iin = read_owner_filter(check, request.owner_iin)
        more = read_more_filters(check, request)
    return Filters(
        region=request.region,
        function=enum_of(AiFunction, pb.AiFunction, request.function),
        kind=enum_of(CameraKind, pb.CameraKind, request.kind),
        status=enum_of(CameraStatus, pb.CameraStatus, request.status),
        with_retired=request.with_retired,
        serial_or_name=called,
        owner_iin=owner_iin,
        **more,
    )


def to_proto(camera: Camera) -> pb.Camera:
    """Convert a camera to its message, without passwords and without its owner's personal number
    (IIN)."""
    return pb.Camera(
        camera_id=str(camera.camera_id),
        description=description_to_proto(camera.description),
        status=status_to_proto(camera.status),
        status_as_of=to_timestamp(camera.status_as_of),
        version=camera.version,
        registered_at=to_timestamp(camera.registered_at),
        retired_at=to_timestamp(camera.retired_at),
        retired_reason=camera.retired_why,
        status_source=pb.CameraStatusSource.Value(f"CAMERA_STATUS_SOURCE_{camera.status_source}"),
        status_reason=reason_to_proto(camera.status_reason),
        status_version=camera.status_version,
        clock_offset_milliseconds=camera.clock_offset_milliseconds,
        merged_into=str(camera.merged_into or ""),
    )


def description_to_proto(given: Description) -> pb.CameraDescription:
    return pb.CameraDescription(
        name=given.name,
        place=common_pb2.Place(**vars(given.place)),
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
        site=given.site,
        site_category=_category_to_proto(given.site_category),
        operator_bin=given.operator_bin,
        height_metres=given.height_metres,
        field_of_view_degrees=given.field_of_view_degrees,
        retention_days=given.retention_days,
        hub_id=str(given.hub_id) if given.hub_id else "",
        streams=streams_to_proto(given.streams),
        onvif_profiles=given.onvif_profiles,
        control_centre=given.control_centre,
        owner_is_person=not given.owner_bin,
        certificate_valid_until=to_timestamp(given.certificate_valid_until),
    )


def _category_to_proto(category: SiteCategory | None) -> pb.SiteCategory.ValueType:
    if category is None:
        return pb.SITE_CATEGORY_UNSPECIFIED
    return pb.SiteCategory.Value(f"SITE_CATEGORY_{category}")


def _verification_to_proto(paper: Verification) -> pb.Verification:
    return pb.Verification(
        number=paper.number,
        valid_from=to_timestamp(paper.valid_from),
        valid_until=to_timestamp(paper.valid_until),
    )


def statistics_to_proto(regions: list[RegionCounts]) -> pb.GetStatisticsResponse:
    """Convert the camera counts of regions to a response. The response also has the total of all
    regions."""
    return pb.GetStatisticsResponse(
        total=_region_to_proto(total(regions)), regions=map(_kept_region, regions)
    )


@lru_cache(maxsize=256)
def _kept_region(counts: RegionCounts) -> pb.RegionStatistics:
    """Convert a region's counts. The message is kept for the same object, because most regions'
    counts stay the same for a while."""
    return _region_to_proto(counts)


def _region_to_proto(counts: RegionCounts) -> pb.RegionStatistics:
    """Convert the counts of a region; those of all regions have the region ""."""
    registered = counts.of("registered")
    return pb.RegionStatistics(
        region=counts.region,
        registered=registered.total(),
        connected=counts.of("connected").total(),
        with_ai=counts.of("with_ai").total(),
        online=registered[CameraStatus.ONLINE],
        degraded=registered[CameraStatus.DEGRADED],
        tampered=registered[CameraStatus.TAMPERED],
        offline=registered[CameraStatus.OFFLINE],
        unknown=registered[CameraStatus.UNKNOWN],
        kinds=[
            pb.KindStatistics(
                kind=pb.CameraKind.Value(f"CAMERA_KIND_{kind}"), counts=_numbers_to_proto(numbers)
            )
            for kind, numbers in counts.values("kind")
        ],
        functions=[
            pb.FunctionStatistics(
                function=pb.AiFunction.Value(f"AI_FUNCTION_{name}"),
                counts=_numbers_to_proto(numbers),
            )
            for name, numbers in counts.values("function")
        ],
        site_categories=[
            pb.SiteCategoryStatistics(
                site_category=pb.SiteCategory.Value(f"SITE_CATEGORY_{category}"),
                counts=_numbers_to_proto(numbers),
            )
            for category, numbers in counts.values("site_category")
        ],
    )


def _numbers_to_proto(numbers: Counter[CameraStatus]) -> pb.StatusCounts:
    return pb.StatusCounts(
        registered=numbers.total(),
        online=numbers[CameraStatus.ONLINE],
        degraded=numbers[CameraStatus.DEGRADED],
        tampered=numbers[CameraStatus.TAMPERED],
        offline=numbers[CameraStatus.OFFLINE],
        unknown=numbers[CameraStatus.UNKNOWN],
    )


def check_region(check: Checks, region: str) -> None:
    check.that(region in ("", *REGIONS), "region", "an ISO 3166-2 code, or nothing")
