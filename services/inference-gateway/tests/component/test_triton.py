"""The client of a real Triton: deadlines, callers who leave, and who may call at all."""

import asyncio
import time

import numpy as np
import pytest
from inference_gateway.triton import (
    MODELS,
    Credentials,
    ModelsAway,
    TritonModels,
)
from tartip_cli.provision.certificates import KeyPair
from tartip_cli.settings import find_checkout
from tartip_scenes.scenes import Light, draw_scene
from tartip_testing.mesh import RunningTestMesh
from vision.detector import Detector

from .processes import Process

SECONDS = 20.0


def models_of(engines: RunningTestMesh, pair: KeyPair, **options: int) -> TritonModels:
    credentials = Credentials(pair.certificate, pair.key, engines.certificates.authority)
    address = f"127.0.0.1:{engines.ports.triton}"
    return TritonModels(address, credentials, **options)


def models(engines: RunningTestMesh, **options: int) -> TritonModels:
    return models_of(engines, engines.certificates.triton_caller("inference-gateway"), **options)


def frame() -> np.ndarray:
    return np.zeros((1, 416, 416, 3), np.uint8)


async def test_every_model_is_ready(engines: RunningTestMesh, triton: Process) -> None:
    served = models(engines)
    try:
        assert await served.ready()
        kept = (find_checkout() / "infra/triton/models").glob("*/manifest.json")
        assert set(MODELS) == {path.parent.name for path in kept}
    finally:
        await served.close()


async def test_rendered_plate_is_read_through_triton(
    engines: RunningTestMesh, triton: Process
) -> None:
    scene = draw_scene(7, text="453DXA12", light=Light.DAY)
    served = models(engines)
    try:
        sight = await Detector(served).detect(scene.picture)
    finally:
        await served.close()
    assert sight.plates[0].text == "453DXA12"
    assert (sight.plates[0].country, sight.plates[0].plate_type) == ("KZ", "car_person")
    x, y, width, height = scene.truth.plate
    box = sight.plates[0].box
    assert abs(box.x + box.width / 2 - x - width / 2) < width / 4
    assert abs(box.y + box.height / 2 - y - height / 2) < height / 2


async def test_deadline_is_a_refusal_and_the_call_ends_by_itself(
    engines: RunningTestMesh, triton: Process
) -> None:
    served = models(engines, most_in_flight=1)
    try:
        with pytest.raises(ModelsAway):
            await served.run("object_detector", frame(), seconds=0.001)
        answer = await served.run("object_detector", frame(), seconds=SECONDS)
        assert answer.shape == (1, 3549, 6)
    finally:
        await served.close()


async def test_caller_who_leaves_does_not_cancel_the_call(
    engines: RunningTestMesh, triton: Process
) -> None:
    served = models(engines)
    try:
        waiting = asyncio.ensure_future(served.run("object_detector", frame(), seconds=SECONDS))
        await asyncio.sleep(0.02)
        (call,) = served._in_flight
        waiting.cancel()
        await asyncio.wait({waiting})
        assert (await asyncio.wait_for(call, SECONDS)).shape == (1, 3549, 6)
        assert not served._in_flight
    finally:
        await served.close()


async def test_more_callers_than_places_wait_their_turn(
    engines: RunningTestMesh, triton: Process
) -> None:
    served = models(engines, most_in_flight=2)
    try:
        calls = [served.run("object_detector", frame(), seconds=SECONDS) for _ in range(6)]
        running = asyncio.gather(*calls)
        await asyncio.sleep(0.05)
        assert len(served._in_flight) <= 2
        assert len(await running) == 6
    finally:
        await served.close()


async def test_wrong_shape_is_refused_and_the_model_lives_on(
    engines: RunningTestMesh, triton: Process
) -> None:
    served = models(engines)
    try:
        with pytest.raises(ModelsAway):
            await served.run("object_detector", np.zeros((1, 33, 33, 3), np.uint8), seconds=SECONDS)
        assert (await served.run("object_detector", frame(), seconds=SECONDS)).shape[0] == 1
    finally:
        await served.close()


async def test_other_services_may_not_call(engines: RunningTestMesh, triton: Process) -> None:
    served = models_of(engines, engines.certificates.service("fines"))
    started = time.monotonic()
    try:
        assert not await served.ready()
        with pytest.raises(ModelsAway):
            await served.run("object_detector", frame(), seconds=3.0)
        assert time.monotonic() - started < 10
    finally:
        await served.close()
