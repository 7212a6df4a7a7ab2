"""What a crash or an absence leaves: every frame told exactly once, nothing half."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from chassis.clock import new_id
from tartip.inference.v1 import inference_pb2

from .callers import As, refused
from .conftest import Plates, picture_of, retaken
from .peers import Device, Register
from .processes import Process
from .test_evidence_bystanders import find_faces

FRAMES = 8
ANSWERED_SECONDS = 120.0


@dataclass
class Sent:
    """A frame as its sender keeps it until it is answered."""

    device: Device
    frame_id: str
    picture: bytes
    at: datetime
    readings: inference_pb2.SignedReadings

    def until_answered(self, edge: As) -> inference_pb2.FrameResult:
        until = time.monotonic() + ANSWERED_SECONDS
        while True:
            try:
                return edge.ingest(
                    self.device,
                    self.picture,
                    frame_id=self.frame_id,
                    at=self.at,
                    readings=self.readings,
                )
            except grpc.RpcError as error:
                away = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
                assert error.code() in away, error
                # Else a Triton that broke by itself would keep the test waiting for ever.
                assert time.monotonic() < until, error
                time.sleep(0.3)


def sent_frames(register: tuple[Register, str], count: int) -> list[Sent]:
    """Each of a camera of its own, signed and ready to be sent."""
    pictures = [picture_of(f"10{number}KLM05", seed=40 + number) for number in range(4)]
    sent = []
    for number in range(count):
        device, at, picture = Device(), datetime.now(UTC), pictures[number % len(pictures)]
        register[0].add(device)
        sent.append(Sent(device, str(new_id()), picture, at, device.sign(picture, at)))
    return sent


@pytest.mark.nightly
def test_frames_under_way_at_a_kill_are_told_exactly_once(
    triton: Process,
    service: Process,
    edge: As,
    register: tuple[Register, str],
    plates: Plates,
    rows: Callable[[str], list[Any]],
) -> None:
    sent = sent_frames(register, FRAMES)
    with ThreadPoolExecutor(FRAMES) as senders:
        answers = [senders.submit(frame.until_answered, edge) for frame in sent]
        for _ in range(2):
            time.sleep(1.5)
            service.kill()
            service.start()
        results = [answer.result() for answer in answers]
    for frame, result in zip(sent, results, strict=True):
        told = plates.of(frame.device, at_least=len(result.plates))
        assert [read.plate.text for read in told] == [plate.text for plate in result.plates]
        assert result.plates
    kept = rows(
        "SELECT count(*) AS n FROM frames WHERE camera_id IN ("
        + ",".join(f"'{frame.device.camera_id}'" for frame in sent)
        + ")"
    )
    assert kept[0]["n"] == FRAMES


def test_while_the_models_are_away_nothing_is_kept_and_the_same_id_works_later(
    triton: Process,
    edge: As,
    as_: Callable[..., As],
    device: Device,
    scene: bytes,
    rows: Callable[[str], list[Any]],
) -> None:
    at, frame_id = datetime.now(UTC), str(new_id())
    owner = as_("citizen-reports")
    photograph = owner.store(retaken(scene))
    readings = device.sign(scene, at)
    triton.kill()
    try:
        with refused("MODELS_AWAY"):
            edge.ingest(device, scene, frame_id=frame_id, at=at, readings=readings)
        assert not rows(f"SELECT 1 FROM requests WHERE request_id = '{frame_id}'")
        with refused("MODELS_AWAY"):  # and not answered that it shows nobody
            find_faces(owner, photograph)
    finally:
        triton.start()
    deadline = time.monotonic() + 30
    while True:
        try:
            result = edge.ingest(device, scene, frame_id=frame_id, at=at, readings=readings)
            break
        except grpc.RpcError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
    assert result.plates


@pytest.mark.nightly
def test_while_triton_stands_still_frames_wait_and_it_lives_on(
    triton: Process, service: Process, edge: As, register: tuple[Register, str], plates: Plates
) -> None:
    sent = sent_frames(register, FRAMES)
    assert triton.child is not None
    before = triton.child.pid
    with ThreadPoolExecutor(FRAMES) as senders:
        with triton.standing_still():
            answers = [senders.submit(frame.until_answered, edge) for frame in sent]
            time.sleep(8.0)  # longer than anybody waits for a turn
            assert not any(answer.done() for answer in answers)
        results = [answer.result() for answer in answers]
    assert triton.child.poll() is None and triton.child.pid == before
    for frame, result in zip(sent, results, strict=True):
        told = plates.of(frame.device, at_least=len(result.plates))
        assert [read.plate.text for read in told] == [plate.text for plate in result.plates]
