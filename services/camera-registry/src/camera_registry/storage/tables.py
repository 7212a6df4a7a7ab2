"""The tables of the register, and the conversion between cameras and rows."""

from datetime import datetime
from typing import Any

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

from camera_registry.model.camera import Camera, CameraStatus
from camera_registry.model.description import (
    AiFunction,
    CameraKind,
    Description,
    Place,
    Verification,
)
from camera_registry.serials import folded

moment = DateTime(timezone=True)


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
    ]


cameras = Table(
    "cameras",
    MetaData(),
    Column("camera_id", Uuid, primary_key=True),
    *_description_columns(),
    # Make and serial number as they are compared; unique together while the camera is not retired.
    Column("make_folded", Text),
    Column("serial_folded", Text),
    Column("status", Text),
    Column("status_as_of", moment),
    Column("last_seen", moment),
    Column("version", BigInteger),
    Column("registered_at", moment),
    Column("retired_at", moment),
    Column("retired_why", Text),
)
versions = Table(
    "camera_versions",
    MetaData(),
    Column("camera_id", Uuid, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("held_from", moment),
    *_description_columns(),
)


def camera_row(camera: Camera) -> dict[str, Any]:
    return {
        "camera_id": camera.camera_id,
        **description_row(camera.description),
        "make_folded": folded(camera.description.make),
        "serial_folded": folded(camera.description.serial),
        "status": camera.status.value,
        "status_as_of": camera.status_as_of,
        "version": camera.version,
        "registered_at": camera.registered_at,
        "retired_at": camera.retired_at,
        "retired_why": camera.retired_why,
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
        "verifications": [_verification_json(paper) for paper in given.verifications],
        "device_key": given.device_key,
        "certificate_number": given.certificate_number,
        "speed_tolerance_kmh": given.speed_tolerance_kmh,
        "dedupe_seconds": given.dedupe_seconds,
        "bases": {function.value: basis for function, basis in given.bases.items()},
    }


def camera_of(row: Any) -> Camera:
    return Camera(
        row.camera_id,
        description_of(row),
        CameraStatus(row.status),
        row.status_as_of,
        row.version,
        row.registered_at,
        row.retired_at,
        row.retired_why,
    )


def description_of(row: Any) -> Description:
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
    )


def _verification_json(paper: Verification) -> dict[str, str]:
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
