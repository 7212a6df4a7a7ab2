"""The embedded vehicle register: a file of made-up vehicles and owners, reproducible by seed.

Names, addresses and numbers belong to nobody. The identification numbers of persons (IIN) and of
companies (BIN) have valid dates and check digits. A fine is for the owner on the day of the
offence. Every record therefore states the first day on which its owner owned the vehicle. Some
vehicles have a second record, of a previous owner.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tartip_cli.data_dir import write_private

COUNT = 2000
_SEED = 20261122
_ENTITIES = 0.1
_SECOND_HAND = 0.1
# All owners in the register were of age by then, and no fine is for an earlier day.
_FIRST_DAY, _DAYS = date(2019, 1, 1), 2000
_WEIGHTS = (range(1, 12), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))
_LETTERS = "ABCDEFGHKLMNPRSTUVWXYZ"
_MODELS = (
    ("Chevrolet", "Cobalt"),
    ("Hyundai", "Tucson"),
    ("Kia", "Rio"),
    ("Toyota", "Camry"),
    ("Lada", "Granta"),
    ("Volkswagen", "Polo"),
    ("Skoda", "Octavia"),
    ("Nissan", "Qashqai"),
)
_GIVEN = (
    "Ailana",
    "Bekasyl",
    "Dinmuhan",
    "Elnara",
    "Gulsezim",
    "Isatai",
    "Kausar",
    "Maksut",
    "Nurbike",
    "Omirbai",
    "Perizat",
    "Rahima",
    "Sabyr",
    "Tolebi",
    "Ulzhan",
    "Zhanibek",
)
_FAMILY = (
    "Alatauov",
    "Baiterekova",
    "Dombrayev",
    "Kerbezova",
    "Kokbulakov",
    "Oramalova",
    "Shanyrakov",
    "Tulparov",
    "Uykashova",
    "Zhuldyzov",
)
_STREETS = ("Sample street", "Steppe lane", "Apple alley", "Saxaul avenue", "Kobyz square")
_FIRMS = ("Altyn Kum LLP", "Jeti Ozen LLP", "Kok Tobe Trade LLP", "Saryarka Cargo LLP")


@dataclass(frozen=True)
class Owner:
    number: str
    """The IIN of a person or the BIN of a firm."""
    name: str
    address: str
    phone: str


@dataclass(frozen=True)
class Vehicle:
    plate: str
    make: str
    model: str
    owner: Owner
    since: date
    """The first day of this ownership."""
    seller: Owner | None = None
    """The owner until then."""

    @property
    def of_a_person(self) -> bool:
        return _is_person(self.owner)


def made_up(count: int = COUNT, *, seed: int = _SEED) -> list[Vehicle]:
    """Generate `count` random vehicles with distinct plates; the same seed gives the same list."""
    rng = random.Random(seed)
    by_plate: dict[str, Vehicle] = {}
    while len(by_plate) < count:
        vehicle = _vehicle(rng, entity=rng.random() < _ENTITIES)
        by_plate.setdefault(vehicle.plate, vehicle)
    return list(by_plate.values())


def write(path: Path, vehicles: list[Vehicle]) -> None:
    """Write `vehicles` to the register file that the fines service reads.

    The file is JSON and lists the ownership records of each plate.
    """
    _write(path, {vehicle.plate: _records(vehicle) for vehicle in vehicles})


def read(path: Path) -> Iterator[Vehicle]:
    """Yield the vehicles of a register file with their current owners.

    A plate is skipped unless it has exactly one current owner, with a known first day of ownership.
    """
    for plate, value in json.loads(path.read_text()).items():
        records = value if isinstance(value, list) else [value]
        current = [record for record in records if record.get("until") is None]
        if len(current) == 1 and "since" in current[0]:
            yield _vehicle_of(plate, current[0])


def complete(path: Path) -> int:
    """Add dates of ownership to a register file that an older version wrote without dates.

    Only vehicles that `made_up` would generate get dates. Other vehicles and unreadable files stay
    unchanged. Returns the number of vehicles changed.
    """
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0
    if not isinstance(content, dict):
        return 0
    undated = {v.plate: v for v in made_up() if content.get(v.plate) == _undated(v)}
    if undated:
        _write(path, content | {plate: _records(v) for plate, v in undated.items()})
    return len(undated)


def _write(path: Path, content: dict[str, Any]) -> None:
    write_private(path, json.dumps(content, ensure_ascii=False, indent=1).encode())


def _records(vehicle: Vehicle) -> list[dict[str, Any]]:
    since = vehicle.since.isoformat()
    records = [_undated(vehicle) | {"since": since}]
    if vehicle.seller is not None:
        before = {"since": _FIRST_DAY.isoformat(), "until": since}
        records.append(_undated(vehicle) | before | {"owner": _owner_fields(vehicle.seller)})
    return records


def _undated(vehicle: Vehicle) -> dict[str, Any]:
    return {"make": vehicle.make, "model": vehicle.model, "owner": _owner_fields(vehicle.owner)}


def _owner_fields(owner: Owner) -> dict[str, str]:
    return {
        "iin" if _is_person(owner) else "bin": owner.number,
        "name": owner.name,
        "address": owner.address,
        "phone": owner.phone,
    }


def _vehicle_of(plate: str, record: dict[str, Any]) -> Vehicle:
    owner = dict(record["owner"])
    number = owner.pop("iin", "") or owner.pop("bin")
    since = date.fromisoformat(record["since"][:10])
    return Vehicle(plate, record["make"], record["model"], Owner(number=number, **owner), since)


def _is_person(owner: Owner) -> bool:
    return owner.number[4] not in "456"


def synthetic_iin(rng: random.Random) -> str:
    """A valid made-up IIN: YYMMDD, century and sex, serial number, check digit."""
    while True:
        year, month, day = rng.randint(55, 99), rng.randint(1, 12), rng.randint(1, 28)
        body = f"{year:02d}{month:02d}{day:02d}{rng.choice('34')}{rng.randint(0, 9999):04d}"
        if (digit := check_digit(body)) is not None:
            return f"{body}{digit}"


def synthetic_bin(rng: random.Random) -> str:
    while True:
        body = f"{rng.randint(5, 24):02d}{rng.randint(1, 12):02d}40{rng.randint(0, 99999):05d}"
        if (digit := check_digit(body)) is not None:
            return f"{body}{digit}"


def check_digit(body: str) -> int | None:
    """Return the twelfth digit of an IIN or BIN, which checks the first eleven (`body`).

    None if no digit is valid for `body`.
    """
    for weights in _WEIGHTS:
        key = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11
        if key < 10:
            return key
    return None


def _vehicle(rng: random.Random, *, entity: bool) -> Vehicle:
    letters = "".join(rng.choices(_LETTERS, k=2 if entity else 3))
    plate = f"{rng.randint(1, 999):03d}{letters}{rng.choice(('02', '02', '02', '01', '05'))}"
    make, model = rng.choice(_MODELS)
    owner = _owner(rng, entity=entity)
    # Drawn separately, so that owners stay the same as before ownerships had dates.
    history = random.Random(f"{_SEED}:{plate}")
    since = _FIRST_DAY + timedelta(days=history.randint(1, _DAYS))
    second_hand = history.random() < _SECOND_HAND
    seller = _owner(history, entity=entity) if second_hand else None
    return Vehicle(plate, make, model, owner, since, seller)


def _owner(rng: random.Random, *, entity: bool) -> Owner:
    address = f"Almaty, {rng.choice(_STREETS)} {rng.randint(1, 90)}, {rng.randint(1, 120)}"
    phone = f"+7700{rng.randint(0, 9_999_999):07d}"
    if entity:
        return Owner(synthetic_bin(rng), rng.choice(_FIRMS), address, phone)
    name = f"{rng.choice(_FAMILY)} {rng.choice(_GIVEN)}"
    return Owner(synthetic_iin(rng), name, address, phone)
