"""Reads descriptions of cameras from CSV files.

A file is UTF-8, with or without a byte order mark, or Windows-1251; its columns are separated by
commas, semicolons or tabs. The first line names the columns (`COLUMNS`), in any order. Numbers may
have decimal commas. `camera_export` writes such files.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.clock import to_timestamp
from law.regions.borders import region_of
from law.zone import parse_day, start_of
from tartip.cameras.v1 import cameras_pb2 as pb

from tartip_cli.failures import Exit, Failure

_TRUE = frozenset(("1", "true", "yes", "да", "иә", "y", "t"))
_FALSE = frozenset(("", "0", "false", "no", "нет", "жоқ", "n", "f"))
# A spreadsheet takes such a text for a formula unless an apostrophe stands before it (OWASP, CSV
# injection); an export writes one, and it is not part of the text.
GUARDED = re.compile(r"'+[=+\-@]")
_LIST_MARKS = str.maketrans(";,/|", "    ")


@dataclass
class Wrong:
    """A cell that cannot be read. The field `row` counts from 1, without the line of column names.
    The field `expected` describes a valid value. The field `column` is empty if the row has too
    many cells."""

    row: int
    column: str
    expected: str


@dataclass
class CameraFile:
    """The cameras in a CSV file; `ParquetCameraFile` reads Parquet. The whole file is read once at
    the start. Failure is raised if the file cannot be read to its end or has unknown columns. Cells
    that `cameras` cannot read are collected in `wrong`."""

    path: Path
    wrong: list[Wrong] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._open()
        # Once through, so that nothing is sent of a file that cannot be read to its end.
        self._count = self._count_lines()
        self._names = _known([_plain(name) for name in next(self._lines(), [])], self.path)

    def _open(self) -> None:
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise Failure(f"cannot read {self.path}: {error.strerror}", Exit.NOT_FOUND) from error
        self._text = _decoded(self.path, content)
        head = self._text.split("\n", 1)[0]
        self._separator = max(";,\t", key=head.count)

    def _count_lines(self) -> int:
        return sum(1 for _ in self._lines())

    def __len__(self) -> int:
        """The number of rows."""
        return max(self._count - 1, 0)

    def cameras(self) -> Iterator[pb.ImportedCamera]:
        """Yield the cameras of all readable rows, each with the number of its row. The first row
        after the line of column names is 1. Cells that cannot be read are added to `wrong`, which
        is cleared first."""
        self.wrong.clear()
        for number, cells in enumerate(self._lines()):
            if not number or not any(cells):  # the head, or an empty line
                continue
            camera = pb.ImportedCamera(row=number)
            before = len(self.wrong)
            if any(cells[len(self._names) :]):
                # As of a decimal comma between commas: all cells after it are another column's.
                fitting = f"at most {len(self._names)} cells, as in the first line"
                self.wrong.append(Wrong(number, "", fitting))
                continue
            for name, cell in zip(self._names, cells, strict=False):
                self._read(camera, number, name, cell.strip())
            if len(self.wrong) == before:
                _complete(camera)
                yield camera

    def _lines(self) -> Iterator[list[str]]:
        """The cells of each line. Raises Failure for a quotation mark that is never closed."""
        lines = csv.reader(io.StringIO(self._text), delimiter=self._separator, strict=True)
        try:
            yield from lines
        except csv.Error as error:
            raise broken(self.path, f"line {lines.line_num}: {error}") from error

    def _read(self, camera: pb.ImportedCamera, number: int, name: str, cell: str) -> None:
        if not cell:
            return
        try:
            read_cell(camera, name, cell)
        except ValueError:
            self.wrong.append(Wrong(number, name, COLUMNS[name].expected))


def _known(given: list[str], path: Path) -> list[str]:
    """The names of a file's columns. Raises Failure for an unknown one and if one is missing."""
    if unknown := ", ".join(sorted(set(given) - set(COLUMNS))):
        known = ", ".join(COLUMNS)
        raise Failure(f"{path}: no such column: {unknown}; there are {known}", Exit.USAGE)
    missing = [name for name in REQUIRED if name not in given]
    if not OWNERS.intersection(given):
        missing.append("owner_bin")
    if missing:
        raise Failure(f"{path}: columns are missing: {', '.join(missing)}", Exit.USAGE)
    return given


def read_cell(camera: pb.ImportedCamera, name: str, cell: str) -> None:
    """Parse the text of a cell that is not empty. The value is stored in the field of `camera` that
    belongs to the column `name`. Raises ValueError if the text is not a valid value."""
    COLUMNS[name].read(camera, cell[1:] if GUARDED.match(cell) else cell)


@dataclass(frozen=True)
class _Column:
    """How a cell is read into a camera. `read` raises ValueError."""

    expected: str
    read: Callable[[pb.ImportedCamera, str], None]


def _decoded(path: Path, content: bytes) -> str:
    """Raises Failure for a file that is neither UTF-8 nor Windows-1251."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Letters of UTF-8 before it: the file is broken there, and not of another encoding.
        if not content[: error.start].isascii():
            raise broken(path, f"byte {error.start} is not UTF-8") from error
        try:
            text = content.decode("cp1251")
        except UnicodeDecodeError as other:
            reason = f"byte {other.start} is neither UTF-8 nor Windows-1251"
            raise broken(path, reason) from other
    return text.replace("\r\n", "\n").replace("\r", "\n")


def broken(path: Path, reason: str) -> Failure:
    """Return a Failure with the message that the file is damaged (`reason`) and nothing was
    sent."""
    return Failure(f"{path}: {reason}; nothing was sent", Exit.USAGE)


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


def _complete(camera: pb.ImportedCamera) -> None:
    """Give a camera without a region that of its place."""
    place = camera.description.place
    if not place.region:
        region = region_of(place.latitude, place.longitude)
        place.region = region.code if region else ""


def _text(name: str) -> _Column:
    def read(camera: pb.ImportedCamera, cell: str) -> None:
        setattr(camera.description, name, cell)

    return _Column("text", read)


def _place_text(name: str) -> _Column:
    def read(camera: pb.ImportedCamera, cell: str) -> None:
        setattr(camera.description.place, name, cell)

    return _Column("text", read)


def _number(name: str, *, of_place: bool = False) -> _Column:
    def read(camera: pb.ImportedCamera, cell: str) -> None:
        target: Any = camera.description.place if of_place else camera.description
        setattr(target, name, float(cell.replace(",", ".")))

    return _Column("a number", read)


def _whole(name: str) -> _Column:
    def read(camera: pb.ImportedCamera, cell: str) -> None:
        setattr(camera.description, name, int(cell))

    return _Column("a whole number", read)


def _enum(name: str, kinds: Any) -> _Column:
    values = enum_values(kinds)

    def read(camera: pb.ImportedCamera, cell: str) -> None:
        setattr(camera.description, name, _value(values, cell))

    return _Column(f"one of {', '.join(sorted(values))}", read)


def enum_values(kinds: Any) -> Mapping[str, int]:
    """Return the numbers of a protobuf enum by name, without UNSPECIFIED. The names are in lower
    case and lack the prefix of the enum: CAMERA_KIND_ANPR is "anpr"."""
    prefix = kinds.keys()[0].removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower(): number for name, number in kinds.items() if number}


def _value(values: Mapping[str, int], cell: str) -> Any:
    try:
        return values[_plain(cell)]
    except KeyError as error:
        raise ValueError(cell) from error


def _connected(camera: pb.ImportedCamera, cell: str) -> None:
    camera.description.connected = _is_true(cell)


def _is_true(cell: str) -> bool:
    answer = cell.casefold()
    if answer not in _TRUE | _FALSE:
        raise ValueError(cell)
    return answer in _TRUE


def _functions(camera: pb.ImportedCamera, cell: str) -> None:
    values = enum_values(pb.AiFunction)
    camera.description.functions.extend(
        _value(values, name) for name in cell.translate(_LIST_MARKS).split()
    )


def _face_basis(camera: pb.ImportedCamera, cell: str) -> None:
    camera.description.bases.add(function=pb.AI_FUNCTION_FACE, basis=cell)


def _verification(name: str) -> Callable[[pb.ImportedCamera, str], None]:
    def read(camera: pb.ImportedCamera, cell: str) -> None:
        papers = camera.description.verifications
        paper = papers[0] if papers else papers.add()
        if name == "number":
            paper.number = cell
            return
        getattr(paper, name).CopyFrom(to_timestamp(_moment(cell)))

    return read


def _moment(cell: str) -> datetime:
    """The start of a day in Almaty, or a moment of ISO 8601 with its time zone."""
    day = parse_day(cell)
    moment = start_of(day) if day else datetime.fromisoformat(cell)
    if moment.tzinfo is None:
        raise ValueError(cell)
    return moment


def _onvif_profiles(camera: pb.ImportedCamera, cell: str) -> None:
    camera.description.onvif_profiles.extend(cell.upper().translate(_LIST_MARKS).split())


def _owner_is_person(camera: pb.ImportedCamera, cell: str) -> None:
    camera.description.owner_is_person = _is_true(cell)


def _certificate_valid_until(camera: pb.ImportedCamera, cell: str) -> None:
    camera.description.certificate_valid_until.CopyFrom(to_timestamp(_moment(cell)))


def _stream(name: str, role: pb.StreamRole.ValueType, part: str) -> _Column:
    """A column with one part of the stream of this name."""

    def read(camera: pb.ImportedCamera, cell: str) -> None:
        streams = camera.description.streams
        found = next((each for each in streams if each.name == name), None)
        setattr(found or streams.add(name=name, role=role), part, cell)

    return _Column("text", read)


def _camera_id(camera: pb.ImportedCamera, cell: str) -> None:
    camera.camera_id = cell.lower()


COLUMNS: Mapping[str, _Column] = {
    "camera_id": _Column("a UUIDv7", _camera_id),
    "name": _text("name"),
    "latitude": _number("latitude", of_place=True),
    "longitude": _number("longitude", of_place=True),
    "region": _place_text("region"),
    "address": _place_text("address"),
    "kato": _place_text("kato"),
    "kind": _enum("kind", pb.CameraKind),
    "serial": _text("serial"),
    "make": _text("make"),
    "model": _text("model"),
    "azimuth_degrees": _number("azimuth_degrees"),
    "owner_bin": _text("owner_bin"),
    "operator_bin": _text("operator_bin"),
    "connected": _Column("yes or no", _connected),
    "functions": _Column("names of AI functions, such as plate|vehicle", _functions),
    "face_basis": _Column("text", _face_basis),
    "certificate_number": _text("certificate_number"),
    "verification_number": _Column("text", _verification("number")),
    "verified_from": _Column("a date, such as 2026-01-31", _verification("valid_from")),
    "verified_until": _Column("a date, such as 2028-01-31", _verification("valid_until")),
    "speed_tolerance_kmh": _number("speed_tolerance_kmh"),
    "dedupe_seconds": _whole("dedupe_seconds"),
    "site": _text("site"),
    "site_category": _enum("site_category", pb.SiteCategory),
    "height_metres": _number("height_metres"),
    "field_of_view_degrees": _number("field_of_view_degrees"),
    "retention_days": _whole("retention_days"),
    "owner_iin": _text("owner_iin"),
    "owner_is_person": _Column("yes or no", _owner_is_person),
    "certificate_valid_until": _Column("a date, such as 2028-01-31", _certificate_valid_until),
    "onvif_profiles": _Column("letters of profiles, such as S|T", _onvif_profiles),
    "control_centre": _text("control_centre"),
    "stream_url": _stream("main", pb.STREAM_ROLE_MAIN, "url"),
    "stream_user": _stream("main", pb.STREAM_ROLE_MAIN, "user"),
    "stream_password": _stream("main", pb.STREAM_ROLE_MAIN, "password"),
    "substream_url": _stream("sub", pb.STREAM_ROLE_SUB, "url"),
    "substream_user": _stream("sub", pb.STREAM_ROLE_SUB, "user"),
    "substream_password": _stream("sub", pb.STREAM_ROLE_SUB, "password"),
    "hub_id": _text("hub_id"),
}
"""The columns of a file, by name. "region" may be left out; it is then derived from the
coordinates."""
REQUIRED = ("name", "latitude", "longitude", "kind", "serial")
# At least one of them.
OWNERS = frozenset(("owner_bin", "owner_iin", "owner_is_person"))
