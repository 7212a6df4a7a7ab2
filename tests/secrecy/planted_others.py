"""What a walk looks for besides reports: a camera whose owner is a person, a fine that it brought
about with its vehicle and their numbers, and an entry of a watch-list."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
from chassis.clock import new_id, system_clock, to_timestamp
from tartip.inference.v1 import watchlists_pb2 as watchlists
from tartip_cli.clients import samples
from tartip_cli.clients.journeys import FrameToTenge, wait_for
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.readings import Device
from tartip_cli.clients.samples import ADMINISTRATOR, SampleCamera
from tartip_cli.provision.vehicles import synthetic_iin
from tartip_cli.topology import INFERENCE_GATEWAY
from tartip_scenes.faces import draw_face
from tartip_scenes.scenes import Light, draw_scene
from tartip_testing.mesh import RunningTestMesh

from .asking import Asking
from .callers import EVERYWHERE, Caller
from .planted import ALMATY
from .table import Surface, Table

BANK = "kaspi"
# The vehicle's owner: no answer to anybody has him.
OWNER = "owner"
CAMERA_OWNER, WATCHLIST = "camera_owner", "watchlist"
# What the log may tell of: numbers, but neither who owns a camera nor who is searched for.
LOGGED = ("violation", "fine", "payment")
REQUESTER = Caller("planter", "operator", "walk-planter", ("watchlist_officer",), EVERYWHERE)


@dataclass(frozen=True)
class PlantedOthers:
    """What is planted in Almaty; `BANK` has paid the fine. `values` are what requests name."""

    values: Mapping[str, str]
    # What each part of the table is recognised by.
    marks: Mapping[str, tuple[bytes, ...]]

    def found_in(self, content: bytes) -> set[str]:
        """Return the parts that the content shows."""
        return {
            part for part, marks in self.marks.items() if any(mark in content for mark in marks)
        }

    def may_show(self, part: str, surface: Surface, caller: Caller, table: Table) -> bool:
        """Whether the table gives a caller this part on a surface. Who may read what was done, or
        tried, reads the numbers of what it was done to."""
        if part in LOGGED and surface.shows & {"trail", "attempts"}:
            return True
        if part not in surface.shows:
            return False
        if caller.kind == "partner":  # a fine by its number; of payments, its own
            return part == "fine" or caller.name == BANK
        if caller.kind != "operator":
            return part in LOGGED
        return self.may_see(part, caller, table)

    def may_see(self, part: str, caller: Caller, table: Table) -> bool:
        """Whether an operator may see the part somewhere."""
        return caller.may_see(part, table) and bool({ALMATY, "*"} & set(caller.regions))


async def planted_others(
    mesh: RunningTestMesh, asking: Asking, like: SampleCamera
) -> PlantedOthers:
    """Plant in the way of an administrator, a device, an inspector, a bank and a watch-list
    officer. The camera is as the sample `like`, but for its owner and its device."""
    owner = synthetic_iin(random.Random())
    async with Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer) as outside:
        camera = await _owned_camera(outside, like, owner)
        fine = await _paid_fine(outside, camera)
    searched_for = await _entry(asking)
    return PlantedOthers(
        values=fine.values,
        marks={**fine.marks, CAMERA_OWNER: (owner.encode(),), WATCHLIST: searched_for},
    )


async def _owned_camera(outside: Outside, like: SampleCamera, owner: str) -> SampleCamera:
    serial = f"TT-OWNED-{new_id().hex[-12:].upper()}"
    device = Device.open(outside.home.path / "demo" / "devices", serial)
    described = dict(like.body["description"])
    described.pop("owner_bin", None)
    key = base64.b64encode(device.public_key).decode()
    described |= {"serial": serial, "device_key": key, "owner_iin": owner}
    camera_id = str(new_id())
    body = {"camera_id": camera_id, "description": described}
    await outside.as_operator(ADMINISTRATOR).post("/v1/cameras", body)
    return dataclasses.replace(like, camera_id=camera_id, device=device, body=body)


async def _paid_fine(outside: Outside, camera: SampleCamera) -> PlantedOthers:
    vehicle = samples.next_vehicle(outside.home, samples.vehicles_path(outside.home, None))
    scene = draw_scene(sum(vehicle.plate.encode()), text=vehicle.plate, light=Light.DAY)
    signed = camera.device.sign(scene.jpeg, system_clock(), speed_kmh=88.0, speed_limit_kmh=60.0)
    journey = FrameToTenge(outside, camera.camera_id, scene.jpeg, signed, bank=BANK)
    sha256 = (await journey.send_frame()).evidence_sha256
    found = await wait_for("the violation", lambda: journey.find_in_queue(sha256))
    violation_id = found.body["violation_id"]
    await journey.decide(violation_id)
    fine = await wait_for("the fine", lambda: journey.find_fine(violation_id))
    number = fine.body["number"]
    await journey.pay(await journey.quote(number))
    owner = vehicle.owner
    personal = (owner.number, owner.name, owner.phone, owner.address)
    middle = scene.jpeg[len(scene.jpeg) // 2 :][:48]
    return PlantedOthers(
        values={
            "violation_id": violation_id,
            "camera_id": camera.camera_id,
            "number": number,
            "payment_id": journey.payment_id,
            "owner": owner.number,
            "sha256": hashlib.sha256(scene.jpeg).hexdigest(),
        },
        marks={
            "violation": (vehicle.plate.encode(), middle),
            "fine": (number.encode(),),
            "payment": (journey.payment_id.encode(),),
            OWNER: tuple(value.encode() for value in personal),
        },
    )


async def _entry(asking: Asking) -> tuple[bytes, ...]:
    """Ask for a person to be searched for; return what the entry is recognised by. Nobody approves
    it, so that no camera searches."""
    mark = new_id().hex[-12:]
    case_number, purpose = f"W-{mark}", f"to find who is missed, {mark[::-1]}"
    encoded = cv2.imencode(".jpg", draw_face(4).picture)[1]
    request = watchlists.RequestEntryRequest(
        entry_id=str(new_id()),
        region=ALMATY,
        basis=watchlists.BASIS_MISSING_PERSON,
        case_number=case_number,
        purpose=purpose,
        expires_at=to_timestamp(system_clock() + dt.timedelta(days=30)),
        picture=bytes(encoded),
    )
    method = "tartip.inference.v1.Watchlists/RequestEntry"
    await asking.answer(REQUESTER, method, request, INFERENCE_GATEWAY)
    return case_number.encode(), purpose.encode()
