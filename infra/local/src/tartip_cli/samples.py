"""Sample cameras with their devices, and one sample vehicle after another for the demonstration.

What was made is kept in `demo/` of the data folder, so that a second run finds its cameras again:
the same id with the same description answers the same.
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

from tartip_cli import vehicles
from tartip_cli.home import Home, write_private
from tartip_cli.partner import Outside
from tartip_cli.readings import Device
from tartip_cli.vehicles import Vehicle

ADMINISTRATOR = "cameras-1"
OWNER_BIN = "100140000003"
SPEED_TOLERANCE_KMH = 2.0
_VALID_DAYS = 365


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
    _Site("SPEED", "speed_point", "Sample: Abai avenue, speed at a point", 43.2389, 76.9286,
          "KZ-75", "Алматы, Абай даңғылы / проспект Абая, 900"),
    _Site("LIGHT", "red_light", "Sample: Dostyk avenue, stop line", 43.2330, 76.9560,
          "KZ-75", "Алматы, Достық даңғылы / проспект Достык, 900"),
    _Site("VIEW", "overview", "Sample: Mangilik El avenue, overview", 51.0909, 71.4187,
          "KZ-71", "Астана, Мәңгілік Ел даңғылы / проспект Мангилик Ел, 900"),
)  # fmt: skip
"""Made up: the streets are there, the house numbers are not."""


@dataclass(frozen=True)
class SampleCamera:
    camera_id: str
    name: str
    kind: str
    region: str
    device: Device
    body: dict[str, Any]
    """What the administrator sends; the same at every run."""


def sample_cameras(home: Home, *, now: dt.datetime) -> list[SampleCamera]:
    """The cameras of this data folder, described at the first call and again once a year."""
    folder = _folder(home)
    path = folder / "cameras.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    cameras = []
    for site in _SITES:
        kept = known.get(site.mark)
        if kept is None or dt.datetime.fromisoformat(kept["valid_until"]) < now:
            kept = _described(home, site, now)
            known[site.mark] = kept
        cameras.append(_camera(home, kept))
    write_private(path, json.dumps(known, ensure_ascii=False, indent=1).encode())
    return cameras


async def register(outside: Outside, cameras: list[SampleCamera]) -> str:
    """Through the gateway, as a camera administrator; gives the trace of the last one."""
    desk, trace_id = outside.as_operator(ADMINISTRATOR), ""
    for camera in cameras:
        trace_id = (await desk.post("/v1/cameras", camera.body)).trace_id
    return trace_id


def vehicles_path(home: Home, chosen: Path | None) -> Path:
    return chosen or home.path / "vehicles.json"


def ensure_vehicles(path: Path) -> bool:
    """Write the made-up register where there is none; whether it was written. One from before
    ownerships had dates gets them."""
    if path.exists():
        vehicles.complete(path)
        return False
    vehicles.write(path, vehicles.made_up())
    return True


def next_vehicle(home: Home, path: Path) -> Vehicle:
    """A person's vehicle that no earlier demonstration of this folder has used, then from the
    start again: one offence of one vehicle is seen once in ten minutes."""
    persons = [vehicle for vehicle in vehicles.read(path) if vehicle.of_a_person]
    with (_folder(home) / "vehicle").open("a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        place = int(counter.read() or 0)
        counter.truncate(0)
        counter.write(str(place + 1))
    return persons[place % len(persons)]


def _described(home: Home, site: _Site, now: dt.datetime) -> dict[str, Any]:
    serial = f"TT-{site.mark}-{home.identity()[:6].upper()}-{now:%y%m%d}"
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
    body = {"camera_id": str(new_id()), "description": description}
    return {"valid_until": valid_until.isoformat(), "body": body}


def _camera(home: Home, kept: dict[str, Any]) -> SampleCamera:
    body = kept["body"]
    described = body["description"]
    return SampleCamera(
        camera_id=body["camera_id"],
        name=described["name"],
        kind=described["kind"],
        region=described["place"]["region"],
        device=Device.open(_folder(home) / "devices", described["serial"]),
        body=body,
    )


def _folder(home: Home) -> Path:
    folder = home.path / "demo"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
