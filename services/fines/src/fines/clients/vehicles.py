"""The embedded vehicle register, which is a JSON file."""

import asyncio
import json
from datetime import UTC, date, datetime
from pathlib import Path

from law.plates import normalised_plate
from law.zone import start_of

from fines.model.ownership import Owner, Registration
from fines.model.refusals import RegisterAway, RegisterRecordWrong


class VehicleFile:
    """The embedded register: a JSON object that maps a plate to a record, or to a list of records.

    A record is {"make", "model", "since", "until", "owner": {"iin" or "bin", "name", "address",
    "phone"}}. It describes an ownership from `since` (included) to `until` (excluded). While the
    ownership lasts, `until` is absent. Both are times with a UTC offset, or days, which mean 00:00
    in Almaty. The file is read again when it changes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._records: dict[str, tuple[object, ...]] = {}

    async def registrations(self, plate: str, at: datetime) -> tuple[Registration, ...]:
        """Return the registrations of a plate that are valid at `at`. Raises RegisterAway if the
        file cannot be read, or RegisterRecordWrong if any record of the plate is invalid."""
        try:
            records = (await asyncio.to_thread(self._current)).get(plate, ())
        except (OSError, ValueError, RecursionError) as error:
            raise RegisterAway from error
        try:
            known = tuple(map(_registration, records))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RegisterRecordWrong from error
        return tuple(found for found in known if found.holds_at(at))

    def _current(self) -> dict[str, tuple[object, ...]]:
        found = self._path.stat()
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._records = _records_by_plate(self._path.read_text(encoding="utf-8"))
            self._stamp = stamp
        return self._records


def _records_by_plate(text: str) -> dict[str, tuple[object, ...]]:
    """Return the register's records by plate, not yet validated, so that an invalid record
    affects only its own plate. Raises ValueError where the text is not a JSON object."""
    content = json.loads(text, object_pairs_hook=tuple)
    if not isinstance(content, tuple):
        raise ValueError("the register must be an object")
    by_plate: dict[str, tuple[object, ...]] = {}
    for written, value in content:
        plate = normalised_plate(written) or written
        records = value if isinstance(value, list) else [value]
        # A plate that occurs twice, in whatever spelling, has the records of both.
        by_plate[plate] = (*by_plate.get(plate, ()), *records)
    return by_plate


def _registration(record: object) -> Registration:
    """Return the registration in a record. Raises KeyError, TypeError, ValueError or
    OverflowError where the record is invalid."""
    vehicle = _fields(record)
    owner = _fields(vehicle["owner"])
    since, until = _moment(vehicle["since"]), vehicle.get("until")
    registration = Registration(
        make=_text(vehicle, "make"),
        model=_text(vehicle, "model"),
        owner=Owner(
            number=_owner_number(owner),
            name=_text(owner, "name"),
            address=_text(owner, "address"),
            phone=_text(owner, "phone"),
        ),
        since=since,
        until=None if until is None else _moment(until),
    )
    if registration.until is not None and registration.until <= since:
        raise ValueError("until must come after since")
    return registration


def _fields(pairs: object) -> dict[str, object]:
    """Return a JSON object's fields from the pairs that `object_pairs_hook` got. Raises
    TypeError where `pairs` is not an object, ValueError where a field occurs twice."""
    if not isinstance(pairs, tuple):
        raise TypeError("must be an object")
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field stands twice")
    return found


def _owner_number(owner: dict[str, object]) -> str:
    numbers = [number for kind in ("iin", "bin") if (number := _text(owner, kind))]
    if len(numbers) != 1:
        raise ValueError("an owner has either an IIN or a BIN")
    return numbers[0]


def _text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text")
    return value


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError("must be a day or a moment")
    if len(value) == len("2026-06-03"):
        return start_of(date.fromisoformat(value))
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a moment needs its offset from UTC")
    return moment.astimezone(UTC)
