"""Passes many cameras to PostgreSQL as one parameter per column, which `unnest` converts to rows.

Numbers are passed as arrays. Texts are joined to one text, with a separator before each of them:
the driver takes thirty times as long to encode an array of texts. The separator is a control
character, which no valid description contains.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from camera_registry.letters import words_of
from camera_registry.model.camera import Camera
from camera_registry.model.description import Description
from camera_registry.storage.tables import (
    bases_json,
    cell_of,
    name_folded,
    region_and_name,
    verification_json,
)

_TEXT, _DOUBLE = "text", "float8"
# What is described, by column: PostgreSQL's type, and the value.
_DESCRIBED: dict[str, tuple[str, Callable[[Description], Any]]] = {
    "region": (_TEXT, lambda of: of.place.region),
    "name": (_TEXT, lambda of: of.name),
    "latitude": (_DOUBLE, lambda of: of.place.latitude),
    "longitude": (_DOUBLE, lambda of: of.place.longitude),
    "address": (_TEXT, lambda of: of.place.address),
    "kato": (_TEXT, lambda of: of.place.kato),
    "kind": (_TEXT, lambda of: of.kind.value),
    "serial": (_TEXT, lambda of: of.serial),
    "make": (_TEXT, lambda of: of.make),
    "model": (_TEXT, lambda of: of.model),
    "azimuth_degrees": (_DOUBLE, lambda of: of.azimuth_degrees),
    "owner_bin": (_TEXT, lambda of: of.owner_bin),
    "connected": (_TEXT, lambda of: "t" if of.connected else "f"),
    "functions": (_TEXT, lambda of: f"{{{','.join(of.functions)}}}" if of.functions else "{}"),
    "verifications": (_TEXT, lambda of: _verifications(of) if of.verifications else "[]"),
    "device_key": (_TEXT, lambda of: "\\x" + of.device_key.hex() if of.device_key else ""),
    "certificate_number": (_TEXT, lambda of: of.certificate_number),
    "speed_tolerance_kmh": (_DOUBLE, lambda of: of.speed_tolerance_kmh),
    "dedupe_seconds": ("integer", lambda of: of.dedupe_seconds),
    "bases": (_TEXT, lambda of: json.dumps(bases_json(of)) if of.bases else "{}"),
    "site": (_TEXT, lambda of: of.site),
    "site_category": (_TEXT, lambda of: of.site_category.value if of.site_category else ""),
    "operator_bin": (_TEXT, lambda of: of.operator_bin),
    "height_metres": (_DOUBLE, lambda of: of.height_metres),
    "field_of_view_degrees": (_DOUBLE, lambda of: of.field_of_view_degrees),
    "retention_days": ("integer", lambda of: of.retention_days),
    "hub_id": ("uuid", lambda of: of.hub_id),
    "onvif_profiles": (_TEXT, lambda of: f"{{{','.join(of.onvif_profiles)}}}"),
    "control_centre": (_TEXT, lambda of: of.control_centre),
    "certificate_valid_until": ("timestamptz", lambda of: of.certificate_valid_until),
    "make_folded": (_TEXT, lambda of: of.serial_key[1]),
    "serial_folded": (_TEXT, lambda of: of.serial_key[0]),
    "name_folded": (_TEXT, lambda of: name_folded(of.name)),
    "name_order": (
        _TEXT,
        lambda of: region_and_name(of.place.region, name_folded(of.name)),
    ),
    "words": (_TEXT, lambda of: _words(of)),
    "cell": ("bigint", lambda of: cell_of(*of.place.point)),
}
# PostgreSQL's types of the values, by column.
COLUMNS = {"camera_id": "uuid", **{name: kind for name, (kind, _) in _DESCRIBED.items()}}
# Columns whose values are given as texts of another type.
AS_TEXT = {
    "connected": "boolean",
    "functions": "text[]",
    "onvif_profiles": "text[]",
    "words": "text[]",
    "verifications": "jsonb",
    "device_key": "bytea",
    "bases": "jsonb",
}
_SEPARATOR = "\x1f"


def columns_of(cameras: Sequence[Camera]) -> dict[str, Any]:
    """Return SQL parameters by column name. Each parameter has the column's values for all
    cameras."""
    described = [camera.description for camera in cameras]
    columns: dict[str, Any] = {"camera_id": [camera.camera_id for camera in cameras]}
    for name, (kind, value) in _DESCRIBED.items():
        values = map(value, described)
        columns[name] = texts(list(values)) if kind == _TEXT else list(values)
    return columns


def texts(values: Sequence[str]) -> str:
    """Join texts to one parameter. Raises ValueError if a text contains the separator."""
    joined = _SEPARATOR.join(("", *values))
    if joined.count(_SEPARATOR) != len(values):
        raise ValueError("a text holds the separator")
    return joined


def array(name: str, kind: str) -> str:
    """Return the SQL expression that converts the parameter `name` to an array of the type `kind`.

    A parameter of the type "text" must be a result of `texts`. PostgreSQL reads an empty text
    before the first separator of such a parameter; the expression drops this text.
    """
    if kind != _TEXT:
        return f"CAST(:{name} AS {kind}[])"
    return f"(string_to_array(CAST(:{name} AS text), chr({ord(_SEPARATOR)})))[2:]"


def _words(given: Description) -> str:
    """The words as an SQL array literal. They are quoted, because an unquoted "null" would be NULL.
    No word contains quotes."""
    words = words_of(given.name, given.site, given.place.address)
    return "{" + ",".join(f'"{word}"' for word in words) + "}"


def _verifications(given: Description) -> str:
    return json.dumps([verification_json(paper) for paper in given.verifications])
