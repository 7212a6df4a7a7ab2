"""The database tables of the camera register, and the conversion between cameras and their rows."""

import unicodedata
from datetime import datetime
from typing import Any

import h3.api.basic_int as h3
from audit_log.decisions import record_columns
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from camera_registry.letters import name_order, words_of
from camera_registry.model.camera import Camera
from camera_registry.model.description import (
    AiFunction,
    CameraKind,
    Description,
    Place,
    SiteCategory,
    Verification,
)
from camera_registry.model.status import CameraStatus, StatusReason, StatusSource

moment = DateTime(timezone=True)
# Cells of about 0.1 km2.
CELL_RESOLUTION = 9
# Of the region in `name_order`, with the blank.
REGION_LENGTH = len("KZ-75 ")


def cell_of(latitude: float, longitude: float) -> int:
    """Return the number of the H3 cell, at CELL_RESOLUTION, of a place given in WGS 84 degrees."""
    return int(h3.latlng_to_cell(latitude, longitude, CELL_RESOLUTION))


def name_folded(name: str) -> str:
    """Return a camera's name in the form in which names are compared: case-folded, with single
    spaces, in Unicode's form NFKC."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def region_and_name(region: str, name: str) -> str:
    """Return the key that sorts cameras by region and name; `name` is a result of `name_folded`."""
    return f"{region} {name_order(name)}"


def _description_columns() -> list[Column[Any]]:
    return [
        Column("region", Text),
        Column("name", Text),
        Column("latitude", Double),
        Column("longitude", Double),
        Column("address", Text),
        Column("kato", Text),
        Column("kind", Text),
        Column("serial", Text),
        Column("make", Text),
        Column("model", Text),
        Column("azimuth_degrees", Double),
        Column("owner_bin", Text),
        Column("connected", Boolean),
        Column("functions", ARRAY(Text)),
        Column("verifications", JSONB),
        Column("device_key", LargeBinary),
        Column("certificate_number", Text),
        Column("speed_tolerance_kmh", Double),
        Column("dedupe_seconds", Integer),
        Column("bases", JSONB),
        Column("site", Text),
        Column("site_category", Text),
        Column("operator_bin", Text),
        Column("height_metres", Double),
        Column("field_of_view_degrees", Double),
        Column("retention_days", Integer),
        Column("hub_id", Uuid),
        Column("onvif_profiles", ARRAY(Text)),
        Column("control_centre", Text),
        Column("certificate_valid_until", moment),
    ]


cameras = Table(
    "cameras",
    MetaData(),
    Column("camera_id", Uuid, primary_key=True),
    *_description_columns(),
    # Make and serial number as they are compared; unique together while the camera is not retired.
    Column("make_folded", Text),
    Column("serial_folded", Text),
    Column("name_folded", Text),
    # Region and key of the name: were the region a column of its own in the index by names,
    # PostgreSQL would take any index that begins with it.
    Column("name_order", Text),
    # Of name, site and address.
    Column("words", ARRAY(Text)),
    # The H3 cell of the place, of resolution CELL_RESOLUTION.
    Column("cell", BigInteger),
    Column("status", Text),
    Column("status_as_of", moment),
    Column("status_source", Text),
    Column("status_reason", Text),
    Column("status_version", BigInteger),
    Column("clock_offset_milliseconds", Integer),
    Column("version", BigInteger),
    # Since when the present description holds.
    Column("held_from", moment),
    Column("registered_at", moment),
    Column("retired_at", moment),
    Column("retired_why", Text),
    Column("merged_into", Uuid),
    *record_columns(),
)
# Descriptions that were superseded, each with the moment from which it held.
versions = Table(
    "camera_versions",
    MetaData(),
    Column("camera_id", Uuid, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("held_from", moment),
    *_description_columns(),
)


hubs = Table(
    "hubs",
    MetaData(),
    Column("hub_id", Uuid, primary_key=True),
    Column("region", Text),
    Column("name", Text),
    Column("kind", Text),
    Column("public_key", LargeBinary),
    Column("registered_at", moment),
    Column("revoked_at", moment),
)
# What the last report of a hub was, and how many events were published of its cameras' statuses.
hub_life = Table(
    "hub_life",
    MetaData(),
    Column("hub_id", Uuid, primary_key=True),
    Column("region", Text),
    Column("number", BigInteger),
    Column("heard_at", moment),
    Column("is_silent", Boolean),
    Column("events", BigInteger),
)
hub_incidents = Table(
    "hub_incidents",
    MetaData(),
    Column("incident_id", Uuid, primary_key=True),
    Column("hub_id", Uuid),
    Column("region", Text),
    Column("silent_since", moment),
    Column("opened_at", moment),
    Column("ended_at", moment),
    Column("cameras", Integer),
    Column("times", Integer),
)
# Hubs that were changed, or whose cameras were; the database adds the rows of the latter itself.
hub_changes = Table(
    "hub_changes",
    MetaData(),
    Column("position", BigInteger),
    Column("hub_id", Uuid),
    Column("region", Text),
)
# A single row: the moment of the last look, by which reports are followed and silence is found.
heartbeat_watch = Table(
    "heartbeat_watch",
    MetaData(),
    Column("is_single", Boolean, primary_key=True),
    Column("looked_at", moment),
)


def _count_columns() -> list[Column[Any]]:
    return [
        Column("region", Text),
        Column("property", Text),
        Column("value", Text),
        Column("status", Text),
        Column("count", BigInteger),
    ]


counts = Table("camera_counts", MetaData(), *_count_columns())
# What has changed since and is not yet part of `counts`; the database adds the rows itself.
count_changes = Table(
    "camera_count_changes", MetaData(), Column("position", BigInteger), *_count_columns()
)

# A single row: the number of changes that were ever added to `counts`.
folded = Table(
    "camera_counts_folded",
    MetaData(),
    Column("is_single", Boolean, primary_key=True),
    Column("changes", BigInteger),
)


import_batches = Table(
    "import_batches",
    MetaData(),
    Column("caller", Text, primary_key=True),
    Column("import_id", Uuid, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("last_row", BigInteger),
    Column("rows_sha256", LargeBinary),
    Column("added", Integer),
    Column("changed", Integer),
    Column("unchanged", Integer),
    Column("refused_rows", Integer),
    Column("refused", JSONB),
    Column("duplicates", JSONB),
    Column("imported_at", moment),
)


# Of the cameras that are not retired; the database adds and deletes the rows itself.
camera_functions = Table(
    "camera_functions",
    MetaData(),
    Column("camera_id", Uuid, primary_key=True),
    Column("function", Text, primary_key=True),
    Column("region", Text, primary_key=True),
)


# A row for each of a camera's `words`; the database adds and deletes the rows itself.
camera_words = Table(
    "camera_words",
    MetaData(),
    Column("region", Text, primary_key=True),
    Column("word", Text, primary_key=True),
    Column("camera_id", Uuid, primary_key=True),
)


def camera_row(camera: Camera, *, held_from: datetime) -> dict[str, Any]:
    """Return a camera's row of the table `cameras`. `held_from` is the time from which the camera's
    present description is valid."""
    given = camera.description
    serial, make = given.serial_key
    name = name_folded(given.name)
    return {
        **decided_fields(camera, held_from=held_from),
        "make_folded": make,
        "serial_folded": serial,
        "name_folded": name,
        "name_order": region_and_name(given.place.region, name),
        "words": words_of(given.name, given.site, given.place.address),
        "cell": cell_of(*given.place.point),
        "status": camera.status.value,
        "status_as_of": camera.status_as_of,
        "status_source": camera.status_source.value,
        "status_reason": camera.status_reason.value if camera.status_reason else "",
        "status_version": camera.status_version,
        "clock_offset_milliseconds": camera.clock_offset_milliseconds,
    }


def decided_fields(camera: Camera, *, held_from: datetime) -> dict[str, Any]:
    """Return the columns of a camera's row that a decision about the camera covers (CAMERA)."""
    return {
        "camera_id": camera.camera_id,
        **description_row(camera.description),
        "version": camera.version,
        "held_from": held_from,
        "registered_at": camera.registered_at,
        "retired_at": camera.retired_at,
        "retired_why": camera.retired_why,
        "merged_into": camera.merged_into,
    }


def description_row(given: Description) -> dict[str, Any]:
    return {
        "region": given.place.region,
        "name": given.name,
        "latitude": given.place.latitude,
        "longitude": given.place.longitude,
        "address": given.place.address,
        "kato": given.place.kato,
        "kind": given.kind.value,
        "serial": given.serial,
        "make": given.make,
        "model": given.model,
        "azimuth_degrees": given.azimuth_degrees,
        "owner_bin": given.owner_bin,
        "connected": given.connected,
        "functions": [function.value for function in given.functions],
        "verifications": [verification_json(paper) for paper in given.verifications],
        "device_key": given.device_key,
        "certificate_number": given.certificate_number,
        "speed_tolerance_kmh": given.speed_tolerance_kmh,
        "dedupe_seconds": given.dedupe_seconds,
        "bases": bases_json(given),
        "site": given.site,
        "site_category": given.site_category.value if given.site_category else "",
        "operator_bin": given.operator_bin,
        "height_metres": given.height_metres,
        "field_of_view_degrees": given.field_of_view_degrees,
        "retention_days": given.retention_days,
        "hub_id": given.hub_id,
        "onvif_profiles": list(given.onvif_profiles),
        "control_centre": given.control_centre,
        "certificate_valid_until": given.certificate_valid_until,
    }


def camera_of(row: Any) -> Camera:
    """Convert a row of `cameras` to a camera. The camera has the stored status, which may be out of
    date."""
    return Camera(
        row.camera_id,
        description_of(row),
        CameraStatus(row.status),
        row.status_as_of,
        row.version,
        row.registered_at,
        row.retired_at,
        row.retired_why,
        StatusSource(row.status_source),
        StatusReason(row.status_reason) if row.status_reason else None,
        row.status_version,
        row.merged_into,
        row.clock_offset_milliseconds,
    )


def description_of(row: Any) -> Description:
    """Convert a row of `cameras` or `camera_versions` to a description without streams and without
    the owner's IIN and its keyed hash, which have tables of their own."""
    return Description(
        name=row.name,
        place=Place(row.latitude, row.longitude, row.region, row.address, row.kato),
        kind=CameraKind(row.kind),
        serial=row.serial,
        make=row.make,
        model=row.model,
        azimuth_degrees=row.azimuth_degrees,
        owner_bin=row.owner_bin,
        connected=row.connected,
        functions=tuple(AiFunction(name) for name in row.functions),
        verifications=tuple(map(_verification_of, row.verifications)),
        device_key=bytes(row.device_key),
        certificate_number=row.certificate_number,
        speed_tolerance_kmh=row.speed_tolerance_kmh,
        dedupe_seconds=row.dedupe_seconds,
        bases={AiFunction(name): basis for name, basis in row.bases.items()},
        site=row.site,
        site_category=SiteCategory(row.site_category) if row.site_category else None,
        operator_bin=row.operator_bin,
        height_metres=row.height_metres,
        field_of_view_degrees=row.field_of_view_degrees,
        retention_days=row.retention_days,
        hub_id=row.hub_id,
        onvif_profiles=tuple(row.onvif_profiles),
        control_centre=row.control_centre,
        certificate_valid_until=row.certificate_valid_until,
    )


def bases_json(given: Description) -> dict[str, str]:
    """Convert the legal bases of a camera's functions to the JSON object that is stored."""
    return {function.value: basis for function, basis in given.bases.items()}


def verification_json(paper: Verification) -> dict[str, str]:
    """Convert a camera's metrological verification to the JSON object that is stored."""
    return {
        "number": paper.number,
        "valid_from": paper.valid_from.isoformat(),
        "valid_until": paper.valid_until.isoformat(),
    }


def _verification_of(stored: dict[str, str]) -> Verification:
    return Verification(
        stored["number"],
        datetime.fromisoformat(stored["valid_from"]),
        datetime.fromisoformat(stored["valid_until"]),
    )
