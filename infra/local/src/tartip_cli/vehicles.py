"""The embedded vehicle register: a file of made-up vehicles and owners, the same from any seed.

Names, addresses and numbers belong to nobody; IINs and BINs have right dates and check digits.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tartip_cli.home import write_private

COUNT = 2000
_SEED = 20261122
_ENTITIES = 0.1
_WEIGHTS = (range(1, 12), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))
_LETTERS = "ABCDEFGHKLMNPRSTUVWXYZ"
_MODELS = (
    ("Chevrolet", "Cobalt"), ("Hyundai", "Tucson"), ("Kia", "Rio"), ("Toyota", "Camry"),
    ("Lada", "Granta"), ("Volkswagen", "Polo"), ("Skoda", "Octavia"), ("Nissan", "Qashqai"),
)  # fmt: skip
_GIVEN = (
    "Ailana", "Bekasyl", "Dinmuhan", "Elnara", "Gulsezim", "Isatai", "Kausar", "Maksut", "Nurbike",
    "Omirbai", "Perizat", "Rahima", "Sabyr", "Tolebi", "Ulzhan", "Zhanibek",
)  # fmt: skip
_FAMILY = (
    "Alatauov", "Baiterekova", "Dombrayev", "Kerbezova", "Kokbulakov", "Oramalova", "Shanyrakov",
    "Tulparov", "Uykashova", "Zhuldyzov",
)  # fmt: skip
_STREETS = ("Sample street", "Steppe lane", "Apple alley", "Saxaul avenue", "Kobyz square")
_FIRMS = ("Altyn Kum LLP", "Jeti Ozen LLP", "Kok Tobe Trade LLP", "Saryarka Cargo LLP")


@dataclass(frozen=True)
class Owner:
    number: str
    """IIN of a person or BIN of a firm."""
    name: str
    address: str
    phone: str


@dataclass(frozen=True)
class Vehicle:
    plate: str
    make: str
    model: str
    owner: Owner

    @property
    def of_a_person(self) -> bool:
        return self.owner.number[4] not in "456"


def made_up(count: int = COUNT, *, seed: int = _SEED) -> list[Vehicle]:
    """The same list at every call; each plate once."""
    rng = random.Random(seed)
    by_plate: dict[str, Vehicle] = {}
    while len(by_plate) < count:
        vehicle = _vehicle(rng, entity=rng.random() < _ENTITIES)
        by_plate.setdefault(vehicle.plate, vehicle)
    return list(by_plate.values())


def write(path: Path, vehicles: list[Vehicle]) -> None:
    """The form that the fines service reads: plate to vehicle and owner."""
    content = {
        vehicle.plate: {
            "make": vehicle.make,
            "model": vehicle.model,
            "owner": {
                "iin" if vehicle.of_a_person else "bin": vehicle.owner.number,
                "name": vehicle.owner.name,
                "address": vehicle.owner.address,
                "phone": vehicle.owner.phone,
            },
        }
        for vehicle in vehicles
    }
    write_private(path, json.dumps(content, ensure_ascii=False, indent=1).encode())


def read(path: Path) -> Iterator[Vehicle]:
    """What is there; a plate that stands twice has no one owner and is left out."""
    for plate, record in json.loads(path.read_text()).items():
        if not isinstance(record, list):
            told = dict(record["owner"])
            number = told.pop("iin", "") or told.pop("bin")
            yield Vehicle(plate, record["make"], record["model"], Owner(number=number, **told))


def synthetic_iin(rng: random.Random) -> str:
    """YYMMDD, century and sex, serial number, check digit; drawn again where no digit fits."""
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
    """The twelfth digit of an IIN or BIN; nothing where none is right."""
    for weights in _WEIGHTS:
        key = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11
        if key < 10:
            return key
    return None


def _vehicle(rng: random.Random, *, entity: bool) -> Vehicle:
    letters = "".join(rng.choices(_LETTERS, k=2 if entity else 3))
    plate = f"{rng.randint(1, 999):03d}{letters}{rng.choice(('02', '02', '02', '01', '05'))}"
    make, model = rng.choice(_MODELS)
    address = f"Almaty, {rng.choice(_STREETS)} {rng.randint(1, 90)}, {rng.randint(1, 120)}"
    phone = f"+7700{rng.randint(0, 9_999_999):07d}"
    if entity:
        owner = Owner(synthetic_bin(rng), rng.choice(_FIRMS), address, phone)
    else:
        name = f"{rng.choice(_FAMILY)} {rng.choice(_GIVEN)}"
        owner = Owner(synthetic_iin(rng), name, address, phone)
    return Vehicle(plate, make, model, owner)
