"""Streams that are watched for ever: put, shared, taken over, and accounted for to the frame."""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tartip.inference.v1 import streams_pb2 as pb
from tartip_scenes.clips import clip_of, film_of
from tartip_scenes.rtsp import Fault, RtspServer
from tartip_scenes.scenes import Light, draw_film
from tartip_testing.mesh import RunningTestMesh

from .callers import As, refused
from .conftest import PACKAGE, Plates, changed_event, retired_event
from .peers import SERVICE, Device, Register, credentials
from .processes import Process
from .streams_desk import SECONDS, Desk, channel_to, opened_desk

TEXT, RATE = "725BDE07", 4


@pytest.fixture
def desk(engines: RunningTestMesh, service: Process) -> Iterator[Desk]:
    with opened_desk(engines) as made:
        yield made


@pytest.fixture(scope="module")
def passage() -> list[Any]:
    """A car that comes nearer, then nothing for a while."""
    pictures = [scene.picture for scene in draw_film(5, frames=12, text=TEXT, light=Light.DAY)]
    return [*pictures, *[np.full_like(pictures[0], 90)] * 20]


@pytest.fixture(scope="module")
def server(passage: list[Any]) -> Iterator[RtspServer]:
    made = RtspServer(passage, rate=RATE, key_every=4)
    made.put("noise", clip_of(film_of(_noise(), rate=RATE, key_every=8)))
    yield made
    made.stop()


def _noise() -> list[Any]:
    """A quiet place, seen by a sensor with some noise."""
    rng = np.random.default_rng(3)
    place = np.full((180, 320, 3), 110, np.uint8)
    return [
        np.clip(place + rng.normal(0, 3, place.shape), 0, 255).astype(np.uint8) for _ in range(32)
    ]


def test_a_stream_is_put_watched_and_told_of(
    triton: Process,
    desk: Desk,
    device: Device,
    server: RtspServer,
    plates: Plates,
    service: Process,
) -> None:
    put = desk.put(device, server.address, rate=RATE)
    assert (put.state, put.worker, put.counts.offered) == (pb.STREAM_STATE_WAITING, "", 0)
    stream = desk.until(device, lambda s: s.counts.looked_at > 8)
    assert stream.state == pb.STREAM_STATE_LIVE
    assert stream.generation == 1
    assert TEXT in [read.plate.text for read in plates.of(device, at_least=1)]
    again = desk.put(device, server.address, rate=RATE)
    assert (again.put_at, again.generation) == (stream.put_at, 1)
    assert desk.put(device, server.address, rate=1.0).counts.offered == 0
    desk.remove(device.camera_id)
    desk.remove(device.camera_id)
    assert device.camera_id not in desk.all()
    assert b"secret-word" not in service.log.read_bytes()


@pytest.mark.nightly
def test_what_does_not_change_is_not_looked_at_again(
    triton: Process, desk: Desk, device: Device, server: RtspServer
) -> None:
    desk.put(device, server.address_of("noise"), rate=RATE)
    stream = desk.until(device, lambda s: s.counts.looked_at + s.counts.unchanged > 40)
    assert stream.counts.unchanged > 3 * stream.counts.looked_at > 0


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        (Fault.CLOSED, pb.STREAM_STATE_AWAY, "stream_away"),
        pytest.param(Fault.SILENT, pb.STREAM_STATE_AWAY, "stream_away", marks=pytest.mark.nightly),
        pytest.param(Fault.CUT, pb.STREAM_STATE_AWAY, "stream_away", marks=pytest.mark.nightly),
        (Fault.GARBLED, pb.STREAM_STATE_GARBLED, "garbled"),
    ],
)
def test_a_broken_stream_has_a_state_and_comes_back(
    fault: Fault,
    state: int,
    reason: str,
    triton: Process,
    desk: Desk,
    device: Device,
    server: RtspServer,
) -> None:
    path = f"breaks-{fault.value}"
    desk.put(device, server.address_of(path), rate=RATE)
    desk.until(device, lambda s: s.counts.looked_at > 2)
    server.break_down(path, fault)
    broken = desk.until(device, lambda s: s.state == state and s.counts.dropped[reason] > 4)
    server.break_down(path, Fault.NONE)
    seen = broken.counts.looked_at + broken.counts.unchanged
    desk.until(
        device,
        lambda s: (
            s.state == pb.STREAM_STATE_LIVE and s.counts.looked_at + s.counts.unchanged > seen + 4
        ),
    )


@pytest.mark.nightly
def test_garbage_on_the_line_and_frozen_pictures_leave_the_worker_alive(
    triton: Process, desk: Desk, register: tuple[Register, str], server: RtspServer
) -> None:
    garbage, frozen = Device(), Device()
    for device, fault in ((garbage, Fault.NOISE), (frozen, Fault.FROZEN)):
        register[0].add(device)
        desk.put(device, server.address_of(fault.value), rate=RATE)
        server.break_down(fault.value, fault)
    desk.until(frozen, lambda s: s.state == pb.STREAM_STATE_FROZEN)
    away = (pb.STREAM_STATE_AWAY, pb.STREAM_STATE_GARBLED)
    desk.until(garbage, lambda s: s.state in away and sum(s.counts.dropped.values()) > 4)


@pytest.mark.nightly
def test_another_copy_takes_over_and_two_share(
    triton: Process,
    engines: RunningTestMesh,
    service: Process,
    desk: Desk,
    register: tuple[Register, str],
    server: RtspServer,
    tmp_path: Path,
    rows: Callable[[str], list[Any]],
) -> None:
    devices = [Device() for _ in range(4)]
    for device in devices:
        register[0].add(device)
        desk.put(device, server.address, rate=2.0)
    first = desk.until(devices[0], lambda s: s.counts.looked_at > 0).worker
    with _Another(engines, service, tmp_path) as (other, elsewhere):
        shared = _until_workers(elsewhere, devices, 2)
        assert sorted(list(shared.values()).count(worker) for worker in set(shared.values())) == [
            2,
            2,
        ]
        service.kill()
        taken = _until_workers(elsewhere, devices, 1)
        assert first not in taken.values()
        for device in devices:
            before = _seen(elsewhere.of(device))
            after = elsewhere.until(device, partial(_saw_more, than=before + 4))
            assert after.generation >= 2
        assert sum(elsewhere.of(device).counts.dropped["no_worker"] for device in devices) > 0
        service.start()
        shared = _until_workers(elsewhere, devices, 2)
        # One that stops gives its streams back at once.
        assert other.stop() == 0
    assert len(set(_until_workers(desk, devices, 1).values())) == 1
    told = rows("SELECT count(*), count(DISTINCT event_id) FROM outbox")
    assert told[0][0] == told[0][1]


def _seen(stream: pb.Stream) -> int:
    return int(stream.counts.looked_at + stream.counts.unchanged)


def _saw_more(stream: pb.Stream, *, than: int) -> bool:
    return _seen(stream) > than


def _until_workers(desk: Desk, devices: list[Device], count: int) -> dict[str, str]:
    """Who holds which stream, once all are held by so many."""
    deadline = time.monotonic() + SECONDS
    while True:
        streams = desk.all()
        held = {device.camera_id: streams[device.camera_id].worker for device in devices}
        if "" not in held.values() and len(set(held.values())) == count:
            return held
        assert time.monotonic() < deadline, held
        time.sleep(0.2)


class _Another:
    """A second copy of the service, at an address of its own."""

    def __init__(self, engines: RunningTestMesh, service: Process, folder: Path) -> None:
        self._engines = engines
        self._address = f"127.0.0.1:{_free_port()}"
        self._process = Process(
            (sys.executable, "-m", PACKAGE, "serve"),
            {**service.environment, "TARTIP_GRPC_ADDRESS": self._address},
            folder / "another.log",
            self._answers,
        )

    def _answers(self) -> bool:
        with channel_to(self._engines, self._address) as channel:
            try:
                Desk(channel).all()
            except grpc.RpcError:
                return False
        return True

    def __enter__(self) -> tuple[Process, Desk]:
        self._process.start()
        self._channel = channel_to(self._engines, self._address)
        return self._process, Desk(self._channel)

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.kill()


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_the_stream_of_a_camera_that_is_retired_is_watched_no_longer(
    desk: Desk, device: Device, server: RtspServer, tell: Callable[..., None]
) -> None:
    desk.put(device, server.address)
    tell("retired", retired_event(device))
    deadline = time.monotonic() + SECONDS
    while device.camera_id in desk.all():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with refused("CAMERA_RETIRED"):
        desk.put(device, server.address)


@pytest.mark.nightly
def test_the_stream_of_a_camera_that_moves_is_watched_in_its_new_region(
    desk: Desk,
    device: Device,
    register: tuple[Register, str],
    server: RtspServer,
    tell: Callable[..., None],
) -> None:
    put = desk.put(device, server.address)
    held = desk.until(device, lambda s: s.worker != "")
    device.region = "KZ-79"
    register[0].add(device, version=2)
    tell("changed", changed_event(device, 2))
    moved = desk.until(device, lambda s: s.region == "KZ-79" and s.worker != "")
    assert moved.generation > held.generation
    assert desk.put(device, server.address).put_at == put.put_at


def test_who_may_put_streams_and_what_is_no_stream(
    desk: Desk, device: Device, as_: Callable[..., As], engines: RunningTestMesh
) -> None:
    with refused("ADDRESS_NOT_RTSP"):
        desk.put(device, "http://127.0.0.1/live")
    with refused("CAMERA_NOT_FOUND"):
        desk.put(Device(), "rtsp://127.0.0.1/live")
    with refused("BAD_REQUEST") as told:
        desk.put(Device(camera_id="x"), "", rate=31.0)
    assert {error.field for error in told[0].fields} == {
        "camera_id",
        "address",
        "frames_per_second",
    }
    with refused("CAMERA_NOT_FOUND"):
        desk.remove(Device().camera_id)
    secured = credentials(engines, "device", "edge-1")
    channel = grpc.secure_channel(engines.address(SERVICE), secured)
    with channel, refused("NOT_ALLOWED"):
        Desk(channel).put(device, "rtsp://127.0.0.1/live")
