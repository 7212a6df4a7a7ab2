"""Tests over the whole mesh: one mesh for all of them, journeys walked as outsiders walk them.

What a journey sends that must never be seen in spans or logs is gathered in `personal`.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from chassis.clock import new_id, system_clock
from PIL import Image, ImageDraw
from tartip.inference.v1 import inference_pb2 as inference
from tartip.reports.v1 import reports_pb2 as reports
from tartip_cli.clients import samples
from tartip_cli.clients.journeys import FrameToTenge, ReportToAnswer, open_report
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.samples import SampleCamera
from tartip_cli.clients.traces import traced
from tartip_cli.provision.vehicles import Vehicle, synthetic_iin
from tartip_scenes.scenes import Light, draw_scene
from tartip_scenes.streets import Signal
from tartip_testing.mesh import RunningTestMesh

SPEEDING = {"speed_kmh": 88.0, "speed_limit_kmh": 60.0}
RED_LIGHT = {
    "signal_phase": inference.SIGNAL_PHASE_RED,
    "signal_age_seconds": 2.4,
    "past_stop_line": True,
}

NewFrame = Callable[..., tuple[FrameToTenge, Vehicle]]
NewReport = Callable[..., ReportToAnswer]


@pytest.fixture(scope="session")
def personal() -> set[str]:
    """Plates, numbers, names and texts that went into the mesh in this session."""
    return set()


@pytest.fixture(scope="session")
def sample_cameras(mesh: RunningTestMesh) -> Iterator[list[SampleCamera]]:
    """Registered once, in the way of a camera administrator; spans of the tests are exported."""
    samples.ensure_vehicles(samples.vehicles_path(mesh.home, None))

    async def register() -> list[SampleCamera]:
        async with outside_of(mesh) as outside:
            return (await samples.registered(outside, now=system_clock()))[0]

    with traced(f"http://127.0.0.1:{mesh.ports.supervisor}"):
        yield asyncio.run(register())


@pytest.fixture
async def outside(
    mesh: RunningTestMesh, sample_cameras: list[SampleCamera]
) -> AsyncIterator[Outside]:
    async with outside_of(mesh) as found:
        yield found


@pytest.fixture
def new_frame(
    mesh: RunningTestMesh,
    outside: Outside,
    sample_cameras: list[SampleCamera],
    personal: set[str],
) -> NewFrame:
    """A frame of a vehicle that has broken nothing yet, drawn and signed by the device."""

    def make(measured: dict[str, Any] | None = None, **chosen: Any) -> tuple[FrameToTenge, Vehicle]:
        wanted = SPEEDING if measured is None else measured
        light = "signal_phase" in wanted
        camera = chosen.pop("camera", sample_cameras[1 if light else 0])
        vehicle = samples.next_vehicle(mesh.home, samples.vehicles_path(mesh.home, None))
        owner = vehicle.owner
        personal.update((vehicle.plate, owner.number, owner.name, owner.phone, owner.address))
        signal = Signal.RED if light else Signal.NONE
        seed = chosen.pop("seed", sum(vehicle.plate.encode()))
        scene = draw_scene(seed, text=vehicle.plate, signal=signal, light=Light.DAY)
        signed = camera.device.sign(scene.jpeg, system_clock(), **wanted)
        return FrameToTenge(outside, camera.camera_id, scene.jpeg, signed, **chosen), vehicle

    return make


@pytest.fixture
def retaken() -> Callable[[bytes], bytes]:
    """The same scene as another picture, as a device takes one for each measurement: its upper edge
    has the shades of an id. A comment in the head would not do, for it is not shown."""

    def make(jpeg: bytes) -> bytes:
        picture, made = Image.open(io.BytesIO(jpeg)), io.BytesIO()
        draw = ImageDraw.Draw(picture)
        for place, colour in enumerate(new_id().bytes):
            corner = (16 * place, 0, 16 * place + 15, 15)
            draw.rectangle(corner, fill=(colour, colour, colour))
        picture.save(made, "JPEG", quality="keep")
        return made.getvalue()

    return make


@pytest.fixture
def new_report(outside: Outside, personal: set[str]) -> NewReport:
    """A report that nobody has handed in yet, with a photograph of about 200 KiB."""

    def make(
        category: int = reports.CATEGORY_TRAFFIC_VIOLATION,
        text: str = "Проехал на красный свет у школы.",
        **chosen: Any,
    ) -> ReportToAnswer:
        rng = random.Random()
        reporter = reports.Reporter(
            iin=synthetic_iin(rng),
            name=f"Sample Witness {rng.randrange(10**6)}",
            phone=f"+7700{rng.randrange(10**7):07d}",
        )
        address = f"Sample crossing {rng.randrange(10**6)}"
        said = f"{text} ({rng.randrange(10**9)})"
        personal.update((reporter.iin, reporter.name, reporter.phone, address, said))
        request = open_report(
            category=category,
            text=said,
            reporter=reporter,
            address=address,
            **{key: chosen.pop(key) for key in ("region",) if key in chosen},
        )
        scene = draw_scene(rng.randrange(10**6), signal=Signal.RED)
        personal.add(scene.truth.text)
        return ReportToAnswer(outside, request, scene.jpeg, **chosen)

    return make


def outside_of(mesh: RunningTestMesh) -> Outside:
    return Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer)
