"""Sample cameras that the register has no more as they were described get successors."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import new_id, system_clock
from tartip_cli.clients import samples
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.samples import ADMINISTRATOR, SampleCamera
from tartip_cli.data_dir import DataDir
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh
Spoil = Callable[[Outside, SampleCamera], Awaitable[None]]


async def retire(outside: Outside, camera: SampleCamera) -> None:
    desk = outside.as_operator(ADMINISTRATOR)
    await desk.post(f"/v1/cameras/{camera.camera_id}/retire", {"reason": "stolen"}, if_match='"1"')


async def move(outside: Outside, camera: SampleCamera) -> None:
    semey = {"latitude": 50.41, "longitude": 80.23, "region": "KZ-10", "address": "Semey, 900"}
    await change(outside, camera, place=semey)


async def give_another_key(outside: Outside, camera: SampleCamera) -> None:
    await change(outside, camera, device_key="")


async def change(outside: Outside, camera: SampleCamera, **changes: Any) -> None:
    body = {"description": camera.body["description"] | changes}
    desk = outside.as_operator(ADMINISTRATOR)
    await desk.put(f"/v1/cameras/{camera.camera_id}", body, if_match='"1"')


async def take_its_serial(outside: Outside, camera: SampleCamera) -> None:
    """As it is where the folder forgot an id and the register did not."""
    rewrite(outside.home, camera, camera_id=str(new_id()))


async def use_its_id_otherwise(outside: Outside, camera: SampleCamera) -> None:
    described = {**camera.body["description"], "name": "Another"}
    rewrite(outside.home, camera, description=described)


def rewrite(home: DataDir, camera: SampleCamera, **changes: Any) -> None:
    path = home.path / "demo" / "cameras.json"
    known = json.loads(path.read_text())
    known[camera.mark]["body"] |= changes
    path.write_text(json.dumps(known))


@pytest.mark.parametrize(
    "spoil", [retire, move, give_another_key, take_its_serial, use_its_id_otherwise]
)
async def test_a_sample_camera_that_is_of_no_use_any_more_gets_a_successor(
    mesh: RunningTestMesh, tmp_path: Path, spoil: Spoil
) -> None:
    async with Outside(
        home=DataDir(tmp_path), ports=mesh.ports, oidc_issuer=mesh.oidc_issuer
    ) as outside:
        first = await registered(outside)
        assert await registered(outside) == first
        spoiled = (await samples.registered(outside, now=system_clock()))[0][0]
        await spoil(outside, spoiled)
        second = await registered(outside)
        assert second[0] != first[0] and second[1:] == first[1:]
        assert await registered(outside) == second
        desk = outside.as_operator(ADMINISTRATOR)
        found = (await desk.get(f"/v1/cameras/{second[0]}")).body["camera"]
        assert found["retired_at"] is None and found["description"]["kind"] == spoiled.kind


async def registered(outside: Outside) -> list[str]:
    cameras, _ = await samples.registered(outside, now=system_clock())
    return [camera.camera_id for camera in cameras]
