"""Writes cameras as the rows of a CSV file that `camera_files` can read.

The file leaves out the device key, all verifications but the last, the legal bases of functions
other than FACE, the streams, and the IIN of an owner who is a person. ListCameras returns neither
streams nor such an IIN. If the file is imported, the register keeps its values of everything that
the file leaves out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

from chassis.clock import from_timestamp
from google.protobuf.timestamp_pb2 import Timestamp
from law.zone import almaty_day, start_of
from tartip.cameras.v1 import cameras_pb2 as pb

from tartip_cli.clients.camera_files import enum_values

# As spreadsheets take it for a formula, and what an import would take for the mark against that.
_FORMULA = re.compile(r"'*[=+\-@]")


async def write_csv(
    path: Path, cameras: AsyncIterator[pb.Camera], *, after_each: Callable[[int], None]
) -> int:
    """Write cameras into a CSV file (UTF-8 with a byte order mark), and return the number of
    cameras.

    An existing file is replaced only when the new one is complete. After each camera, `after_each`
    is called with the number of cameras written so far.
    """
    part, number = path.with_name(f"{path.name}.part"), 0
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(_CELLS)
            async for camera in cameras:
                lines.writerow(cells_of(camera))
                number += 1
                after_each(number)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return number


def cells_of(camera: pb.Camera) -> list[str]:
    """Return the cells of a camera's row as text, in the order of the file's columns."""
    return [cell(camera) for cell in _CELLS.values()]


def _text(read: Callable[[pb.CameraDescription], str]) -> Callable[[pb.Camera], str]:
    def cell(camera: pb.Camera) -> str:
        text = read(camera.description)
        return f"'{text}" if _FORMULA.match(text) else text

    return cell


def _number(read: Callable[[pb.CameraDescription], float]) -> Callable[[pb.Camera], str]:
    return lambda camera: repr(read(camera.description))


def _enum(name: str, kinds: Any) -> Callable[[pb.Camera], str]:
    names = {number: name for name, number in enum_values(kinds).items()}
    return lambda camera: names.get(getattr(camera.description, name), "")


def _owner_is_person(camera: pb.Camera) -> str:
    return "yes" if camera.description.owner_is_person else ""


def _certificate_valid_until(camera: pb.Camera) -> str:
    given = camera.description
    has_it = given.HasField("certificate_valid_until")
    return _moment(given.certificate_valid_until) if has_it else ""


def _connected(camera: pb.Camera) -> str:
    return "yes" if camera.description.connected else "no"


def _functions(camera: pb.Camera) -> str:
    names = {number: name for name, number in enum_values(pb.AiFunction).items()}
    return "|".join(names[number] for number in camera.description.functions)


def _face_basis(given: pb.CameraDescription) -> str:
    found = (each.basis for each in given.bases if each.function == pb.AI_FUNCTION_FACE)
    return next(found, "")


def _last(given: pb.CameraDescription) -> pb.Verification:
    # The last one: an import puts new ones at the end.
    return given.verifications[-1] if given.verifications else pb.Verification()


def _verified(name: str) -> Callable[[pb.Camera], str]:
    def cell(camera: pb.Camera) -> str:
        paper = _last(camera.description)
        return _moment(getattr(paper, name)) if paper.HasField(name) else ""  # type: ignore[arg-type]

    return cell


def _moment(stamp: Timestamp) -> str:
    """The day in Almaty, or the moment in UTC if it is not the start of one."""
    moment = from_timestamp(stamp)
    day = almaty_day(moment)
    return day.isoformat() if start_of(day) == moment else moment.astimezone(UTC).isoformat()


_CELLS: Mapping[str, Callable[[pb.Camera], str]] = {
    "camera_id": lambda camera: camera.camera_id,
    "name": _text(lambda given: given.name),
    "latitude": _number(lambda given: given.place.latitude),
    "longitude": _number(lambda given: given.place.longitude),
    "region": _text(lambda given: given.place.region),
    "address": _text(lambda given: given.place.address),
    "kato": _text(lambda given: given.place.kato),
    "kind": _enum("kind", pb.CameraKind),
    "serial": _text(lambda given: given.serial),
    "make": _text(lambda given: given.make),
    "model": _text(lambda given: given.model),
    "azimuth_degrees": _number(lambda given: given.azimuth_degrees),
    "owner_bin": _text(lambda given: given.owner_bin),
    "operator_bin": _text(lambda given: given.operator_bin),
    "connected": _connected,
    "functions": _functions,
    "face_basis": _text(_face_basis),
    "certificate_number": _text(lambda given: given.certificate_number),
    "verification_number": _text(lambda given: _last(given).number),
    "verified_from": _verified("valid_from"),
    "verified_until": _verified("valid_until"),
    "speed_tolerance_kmh": _number(lambda given: given.speed_tolerance_kmh),
    "dedupe_seconds": _number(lambda given: given.dedupe_seconds),
    "site": _text(lambda given: given.site),
    "site_category": _enum("site_category", pb.SiteCategory),
    "height_metres": _number(lambda given: given.height_metres),
    "field_of_view_degrees": _number(lambda given: given.field_of_view_degrees),
    "retention_days": _number(lambda given: given.retention_days),
    "owner_is_person": _owner_is_person,
    "certificate_valid_until": _certificate_valid_until,
    "onvif_profiles": _text(lambda given: "|".join(given.onvif_profiles)),
    "control_centre": _text(lambda given: given.control_centre),
    "hub_id": _text(lambda given: given.hub_id),
}
EXPORTED = tuple(_CELLS)
"""The columns of a file that is written."""
