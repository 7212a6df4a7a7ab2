"""The stream of an edge box: every frame answered in order, whatever it is, and taken once."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from chassis.clock import new_id, to_timestamp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tartip.inference.v1 import inference_pb2
from tartip_testing.mesh import RunningTestMesh

from .callers import As, refused
from .conftest import Plates, picture_of, retaken
from .peers import SERVICE, Device, Register, credentials
from .processes import Process

pytestmark = pytest.mark.usefixtures("triton")
Frame = inference_pb2.IngestFrameRequest


def frame_of(device: Device, picture: bytes, **changes: Any) -> Frame:
    """A frame as a box would send it; `changes` make it wrong."""
    at = datetime.now(UTC)
    given: dict[str, Any] = {
        "frame_id": str(new_id()),
        "camera_id": device.camera_id,
        "captured_at": to_timestamp(at),
        "picture": picture,
        "readings": device.sign(picture, at),
        **changes,
    }
    return Frame(**given)


def sent(edge: As, frames: Iterable[Frame]) -> list[inference_pb2.SendFramesResponse]:
    requests = (inference_pb2.SendFramesRequest(frame=frame) for frame in frames)
    return list(edge.stub.SendFrames(requests, timeout=120))


def reasons(answers: list[inference_pb2.SendFramesResponse]) -> list[str]:
    return [answer.refusal.reason or "taken" for answer in answers]


def test_frames_are_answered_in_order_and_a_refusal_ends_nothing(
    edge: As, device: Device, scene: bytes, register: tuple[Register, str], plates: Plates
) -> None:
    second = Device()
    register[0].add(second)
    stranger = replace(device, key=Ed25519PrivateKey.generate())
    at = datetime.now(UTC)
    frames = [
        frame_of(device, scene),
        frame_of(second, scene),
        frame_of(stranger, scene),
        frame_of(device, scene, readings=None),
        frame_of(device, scene, frame_id="7"),
        frame_of(device, scene[:5000]),
        frame_of(device, scene, captured_at=to_timestamp(at + timedelta(hours=1))),
        frame_of(Device(), scene),
        frame_of(device, b"not a picture, but called one"),
        frame_of(device, retaken(scene)),
    ]
    answers = sent(edge, frames)
    assert [answer.frame_id for answer in answers] == [frame.frame_id for frame in frames]
    assert reasons(answers) == [
        "taken",
        "taken",
        "READINGS_NOT_SIGNED",
        "READINGS_REQUIRED",
        "BAD_REQUEST",
        "PICTURE_TRUNCATED",
        "FRAME_FROM_FUTURE",
        "CAMERA_NOT_FOUND",
        "NOT_A_PICTURE",
        "taken",
    ]
    assert not any(answer.refusal.again for answer in answers)
    assert "frame_id: must be" in answers[4].refusal.message
    assert [plate.text for plate in answers[-1].result.plates] == ["463DXA02"]
    again = sent(edge, [frames[0], frames[-1]])
    assert [answer.result for answer in again] == [answers[0].result, answers[-1].result]
    assert len(plates.of(device, at_least=2)) == 2


def test_only_devices_may_send(as_: Callable[..., As], device: Device, scene: bytes) -> None:
    with refused("NOT_ALLOWED"):
        sent(as_("tartip-cli"), [frame_of(device, scene)])


def test_bytes_that_are_no_message_end_the_stream_by_name(
    engines: RunningTestMesh, service: Process, device: Device, scene: bytes
) -> None:
    good = inference_pb2.SendFramesRequest(frame=frame_of(device, scene)).SerializeToString()
    secured = credentials(engines, "device", "edge-1")
    with grpc.secure_channel(engines.address(SERVICE), secured) as channel:
        call = channel.stream_stream(
            "/tartip.inference.v1.Inference/SendFrames",
            request_serializer=None,
            response_deserializer=inference_pb2.SendFramesResponse.FromString,
        )
        with refused("BAD_REQUEST"):
            list(call(iter([good, b"\xff\xff\xff"]), timeout=60))


def test_a_server_that_stops_ends_the_stream_and_the_rest_is_sent_again(
    edge: As, service: Process, device: Device, plates: Plates
) -> None:
    """As a box does: what was not answered stays with it, and goes out again in order."""
    pictures = [picture_of(f"20{number}KLM05", seed=60 + number) for number in range(3)]
    unanswered = [frame_of(device, retaken(pictures[number % 3])) for number in range(9)]
    told: dict[str, inference_pb2.FrameResult] = {}
    stopped, ended = threading.Event(), threading.Event()

    def take(answers: Iterator[inference_pb2.SendFramesResponse]) -> None:
        for answer in answers:
            assert not answer.refusal.reason
            assert answer.frame_id == unanswered[0].frame_id
            told[answer.frame_id] = answer.result
            unanswered.pop(0)
            if len(told) == 2 and not stopped.is_set():
                stopped.set()
                service.child.terminate()  # type: ignore[union-attr]

    def box(frames: list[Frame], hold_open: bool) -> Iterator[inference_pb2.SendFramesRequest]:
        yield from (inference_pb2.SendFramesRequest(frame=frame) for frame in frames)
        if hold_open:  # a box has no last frame
            ended.wait(60)

    with refused("SERVER_STOPPING"):
        take(edge.stub.SendFrames(box(list(unanswered), hold_open=True)))
    ended.set()
    assert service.child is not None
    assert service.child.wait(60) == 0
    service.start()
    while unanswered:
        with contextlib.suppress(grpc.RpcError):
            take(edge.stub.SendFrames(box(list(unanswered), hold_open=False), timeout=60))
    expected = sum(len(result.plates) for result in told.values())
    assert len(told) == 9 and expected
    assert len(plates.of(device, at_least=expected)) == expected


def test_frames_that_wait_out_the_models_are_all_taken_in_order(
    edge: As, triton: Process, device: Device, plates: Plates
) -> None:
    pictures = [picture_of(f"30{number}KLM05", seed=70 + number) for number in range(3)]
    frames = [frame_of(device, picture) for picture in pictures]
    triton.kill()
    try:
        answers = sent(edge, frames)
    finally:
        triton.start()
    assert reasons(answers) == ["MODELS_AWAY"] * 3
    assert all(answer.refusal.again for answer in answers)
    deadline = time.monotonic() + 30
    answers = sent(edge, frames)
    while any(answer.refusal.again for answer in answers) and time.monotonic() < deadline:
        time.sleep(0.3)
        answers = sent(edge, frames)
    assert reasons(answers) == ["taken"] * 3


def test_what_may_be_an_attack_is_quarantined_without_its_picture(
    edge: As,
    as_: Callable[..., As],
    register: tuple[Register, str],
    scene: bytes,
    rows: Callable[[str], list[Any]],
) -> None:
    device = Device()
    register[0].add(device)
    stranger = replace(device, key=Ed25519PrivateKey.generate(), counter=40)
    late = datetime.now(UTC) + timedelta(hours=2)
    replayed = frame_of(device, scene)
    frames = [
        replayed,
        frame_of(stranger, scene),
        frame_of(device, scene, readings=device.sign(b"another picture", datetime.now(UTC))),
        frame_of(
            device,
            scene,
            frame_id=str(new_id()),
            readings=replayed.readings,
            captured_at=replayed.captured_at,
        ),
        frame_of(device, scene),
        frame_of(device, scene, captured_at=to_timestamp(late)),
        # A clock a minute ahead is a fault, and refused as one.
        frame_of(device, scene, captured_at=to_timestamp(late - timedelta(minutes=119))),
    ]
    suspect = [
        "READINGS_NOT_SIGNED",
        "READINGS_OF_OTHER_FRAME",
        "COUNTER_WENT_BACK",
        "PICTURE_SIGNED_BEFORE",
        "FRAME_FROM_FUTURE",
    ]
    assert reasons(sent(edge, frames)) == ["taken", *suspect, "FRAME_FROM_FUTURE"]
    listed = quarantine(as_("operator-gateway", operator="cameras-1"), device)
    assert [one.reason for one in reversed(listed)] == suspect
    assert {one.sender for one in listed} == {"device/edge-1"}
    assert [(one.counter, one.counter_before) for one in reversed(listed)][:3] == [
        (41, 1),
        (2, 1),
        (1, 1),
    ]
    assert {one.picture_sha256 for one in listed} == {replayed.readings.readings.frame_sha256.hex()}
    assert quarantine(as_("operator-gateway", operator="auditor-1"), device) == listed
    with refused("NOT_ALLOWED"):
        quarantine(as_("operator-gateway", operator="supervisor-almaty"), device)
    audited = rows(
        "SELECT 1 FROM audit WHERE convert_from(canonical, 'UTF8')::json->>'action' = 'quarantine'"
        f" AND convert_from(canonical, 'UTF8')::json->>'object' = 'camera:{device.camera_id}'"
    )
    assert len(audited) == len(suspect)


def test_a_flood_is_counted_and_fills_nothing(
    as_: Callable[..., As],
    register: tuple[Register, str],
    scene: bytes,
    rows: Callable[[str], list[Any]],
) -> None:
    device, sender = Device(), as_("tartip-cli")
    register[0].add(device)
    at = datetime.now(UTC)
    forged = device.sign(scene[:2000], at)
    forged.signature = b"forged"
    for _ in range(130):
        with refused("READINGS_NOT_SIGNED"):
            sender.ingest(device, scene[:2000], at=at, readings=forged)
    told = "WHERE sender = 'service/tartip-cli'"
    assert rows(f"SELECT count(*) AS n FROM quarantine {told}")[0]["n"] == 100
    assert rows(f"SELECT sum(arrived) AS n FROM quarantine_days {told}")[0]["n"] == 130


def quarantine(operator: As, device: Device) -> list[inference_pb2.QuarantinedFrame]:
    request = inference_pb2.ListQuarantineRequest(camera_id=device.camera_id)
    answer = operator.stub.ListQuarantine(request, timeout=10, metadata=operator.metadata)
    return list(answer.frames)
