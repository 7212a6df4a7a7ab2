"""The sample cameras with their devices, and the sample vehicles of the demonstration.

The cameras are stored in `demo/` of the data folder. Later runs register the stored cameras again,
which has no effect. A sample camera is replaced by a new one if it was retired or changed, or if
another camera has its id or serial number.
"""

from __future__ import annotations

import base64
import datetime as dt
import fcntl
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.clock import new_id
from chassis.refusals import Refusal

from tartip_cli.clients.partner import Answer, Outside
from tartip_cli.clients.readings import Device
from tartip_cli.data_dir import DataDir, write_private
from tartip_cli.failures import Exit, Failure
from tartip_cli.provision import vehicles
from tartip_cli.provision.vehicles import Vehicle

ADMINISTRATOR = "cameras-1"
OWNER_BIN = "100140000003"
SPEED_TOLERANCE_KMH = 2.0
_VALID_DAYS = 365
# The fields of a sample camera that must be unchanged in the register.
_NEEDED = (
    "kind",
    "serial",
    "connected",
    "functions",
    "device_key",
    "certificate_number",
    "speed_tolerance_kmh",
    "dedupe_seconds",
)
_ANOTHERS = ("ID_REUSED", "SERIAL_TAKEN")
# A camera registered this far in the future was registered under a moved clock.
_MOVED_CLOCK = dt.timedelta(hours=1)


@dataclass(frozen=True)
class _Site:
    mark: str
    kind: str
    name: str
    latitude: float
    longitude: float
    region: str
    address: str


_SITES = (
    _Site(
        "SPEED",
        "speed_point",
        "Sample: Abai avenue, speed at a point",
        43.2389,
        76.9286,
        "KZ-75",
        "Алматы, Абай даңғылы / проспект Абая, 900",
    ),
    _Site(
        "LIGHT",
        "red_light",
        "Sample: Dostyk avenue, stop line",
        43.2330,
        76.9560,
        "KZ-75",
        "Алматы, Достық даңғылы / проспект Достык, 900",
    ),
    _Site(
        "VIEW",
        "overview",
        "Sample: Mangilik El avenue, overview",
        51.0909,
        71.4187,
        "KZ-71",
        "Астана, Мәңгілік Ел даңғылы / проспект Мангилик Ел, 900",
    ),
)
"""Made-up addresses: the streets exist, the house numbers do not."""


@dataclass(frozen=True)
class SampleCamera:
    mark: str
    camera_id: str
    name: str
    kind: str
    region: str
    device: Device
    body: dict[str, Any]
    """The description to register, the same in every run."""


def sample_cameras(home: DataDir, *, now: dt.datetime) -> list[SampleCamera]:
    """Return the sample cameras of this data folder. The first call creates them. After a year,
    when their metrological verification has expired, they are replaced by new ones."""
    known = _read(home)
    for site in _SITES:
        entry = known.get(site.mark)
        if entry is None or dt.datetime.fromisoformat(entry["valid_until"]) < now:
            known[site.mark] = _described(home, site, now)
    _write(home, known)
    return [_camera(home, site.mark, known[site.mark]) for site in _SITES]


async def registered(outside: Outside, *, now: dt.datetime) -> tuple[list[SampleCamera], str]:
    """Register the sample cameras of this data folder. Returns the cameras, and the trace id of the
    last request."""
    cameras, trace_id = [], ""
    for camera in sample_cameras(outside.home, now=now):
        answer = await _registration(outside, camera)
        if answer is None or not _is_of_use(answer.body["camera"], camera, now):
            camera = _another(outside.home, camera.mark, now)
            answer = await _register(outside, camera)
        trace_id = answer.trace_id
        cameras.append(camera)
    return cameras, trace_id


async def register(outside: Outside, cameras: list[SampleCamera]) -> None:
    """Register cameras through the gateway, as a camera administrator."""
    for camera in cameras:
        await _register(outside, camera)


async def _register(outside: Outside, camera: SampleCamera) -> Answer:
    return await outside.as_operator(ADMINISTRATOR).post("/v1/cameras", camera.body)


async def _registration(outside: Outside, camera: SampleCamera) -> Answer | None:
    """Register a camera; return None if its id or serial number belongs to another camera."""
    try:
        return await _register(outside, camera)
    except Refusal as refusal:
        if refusal.reason in _ANOTHERS:
            return None
        raise


def _is_of_use(found: dict[str, Any], camera: SampleCamera, now: dt.datetime) -> bool:
    has, wanted = found["description"], camera.body["description"]
    registered_at = dt.datetime.fromisoformat(found["registered_at"])
    return (
        found["retired_at"] is None
        and registered_at < now + _MOVED_CLOCK
        # Fields of a place that a description of an earlier version lacks: empty.
        and {"kato": ""} | wanted["place"] == has["place"]
        and all(has[name] == wanted[name] for name in _NEEDED)
        and _numbers(has) == _numbers(wanted)
    )


def _numbers(description: dict[str, Any]) -> list[str]:
    return [verification["number"] for verification in description["verifications"]]


def vehicles_path(home: DataDir, chosen: Path | None) -> Path:
    return chosen or home.path / "vehicles.json"


def ensure_vehicles(path: Path) -> bool:
    """Write a register of made-up vehicles to `path` if there is no file. Returns whether the file
    was written.

    If an older version wrote the existing register, missing dates of ownership are added to it.
    """
    if path.exists():
        vehicles.complete(path)
        return False
    vehicles.write(path, vehicles.made_up())
    return True


def next_vehicle(home: DataDir, path: Path) -> Vehicle:
    """Return the next vehicle in the register at `path` that belongs to a person. After the last
    one, the first follows again.

    The number of vehicles used so far is stored in the data folder `home`. Each demonstration takes
    the next vehicle, since the same offence of one vehicle is recorded only once in ten minutes.
    Raises Failure if there is no such vehicle.
    """
    persons = [vehicle for vehicle in vehicles.read(path) if vehicle.of_a_person]
    if not persons:
        raise Failure(
            f"no vehicle of {path} has one owner of today, a person, with `since`: correct its "
            "records, or have them replaced with `tartip seed --again`",
            Exit.FINDINGS,
        )
    with (_folder(home) / "vehicle").open("a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        place = int(counter.read() or 0)
        counter.truncate(0)
        counter.write(str(place + 1))
    return persons[place % len(persons)]


def _another(home: DataDir, mark: str, now: dt.datetime) -> SampleCamera:
    """A new camera that replaces another camera at the same site."""
    known = _read(home)
    known[mark] = _described(home, next(site for site in _SITES if site.mark == mark), now)
    _write(home, known)
    return _camera(home, mark, known[mark])


def _described(home: DataDir, site: _Site, now: dt.datetime) -> dict[str, Any]:
    camera_id = str(new_id())
    serial = f"TT-{site.mark}-{camera_id[-12:].upper()}"
    valid_from, valid_until = now - dt.timedelta(days=30), now + dt.timedelta(days=_VALID_DAYS)
    measures = site.kind != "overview"
    verification = {
        "number": f"VT-{serial}",
        "valid_from": valid_from.isoformat(),
        "valid_until": valid_until.isoformat(),
    }
    device = Device.open(_folder(home) / "devices", serial)
    description = {
        "name": site.name,
        "place": {
            "latitude": site.latitude,
            "longitude": site.longitude,
            "region": site.region,
            "address": site.address,
        },
        "kind": site.kind,
        "serial": serial,
        "make": "Tartip",
        "model": "Sample 1",
        "azimuth_degrees": 90.0,
        "owner_bin": OWNER_BIN,
        "connected": True,
        "functions": ["plate", "vehicle"],
        "verifications": [verification] if measures else [],
        "device_key": base64.b64encode(device.public_key).decode() if measures else "",
        "certificate_number": f"TC-{serial}" if measures else "",
        "speed_tolerance_kmh": SPEED_TOLERANCE_KMH if site.kind == "speed_point" else 0.0,
        "dedupe_seconds": 600,
    }
    body = {"camera_id": camera_id, "description": description}
    return {"valid_until": valid_until.isoformat(), "body": body}


def _camera(home: DataDir, mark: str, stored: dict[str, Any]) -> SampleCamera:
    body = stored["body"]
    described = body["description"]
    return SampleCamera(
        mark=mark,
        camera_id=body["camera_id"],
        name=described["name"],
        kind=described["kind"],
        region=described["place"]["region"],
        device=Device.open(_folder(home) / "devices", described["serial"]),
        body=body,
    )


def _read(home: DataDir) -> dict[str, Any]:
    path = _folder(home) / "cameras.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return known


def _write(home: DataDir, known: dict[str, Any]) -> None:
    content = json.dumps(known, ensure_ascii=False, indent=1)
    write_private(_folder(home) / "cameras.json", content.encode())


def _folder(home: DataDir) -> Path:
    folder = home.path / "demo"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
