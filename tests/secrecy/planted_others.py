"""A paid fine that a walk looks for: its vehicle, its owner, its numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from chassis.clock import system_clock
from tartip_cli.clients import samples
from tartip_cli.clients.journeys import FrameToTenge, wait_for
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.samples import SampleCamera
from tartip_scenes.scenes import Light, draw_scene
from tartip_testing.mesh import RunningTestMesh

from .callers import Caller
from .planted import ALMATY
from .table import Surface, Table

BANK = "kaspi"
# The vehicle's owner: no answer to anybody has him.
OWNER = "owner"


@dataclass(frozen=True)
class PlantedFine:
    """A fine of Almaty that `BANK` has paid. `values` are what requests call it by."""

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
        if part != OWNER and surface.shows & {"trail", "attempts"}:
            return True
        if part not in surface.shows:
            return False
        if caller.kind == "partner":  # a fine by its number; of payments, its own
            return part == "fine" or caller.name == BANK
        return caller.kind != "operator" or self.may_see(part, caller, table)

    def may_see(self, part: str, caller: Caller, table: Table) -> bool:
        """Whether an operator may see the part somewhere."""
        return caller.may_see(part, table) and bool({ALMATY, "*"} & set(caller.regions))


async def paid_fine(mesh: RunningTestMesh, camera: SampleCamera) -> PlantedFine:
    """Plant a fine in the way of a device, an inspector and a bank."""
    vehicle = samples.next_vehicle(mesh.home, samples.vehicles_path(mesh.home, None))
    scene = draw_scene(sum(vehicle.plate.encode()), text=vehicle.plate, light=Light.DAY)
    signed = camera.device.sign(scene.jpeg, system_clock(), speed_kmh=88.0, speed_limit_kmh=60.0)
    async with Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer) as outside:
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
    return PlantedFine(
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
