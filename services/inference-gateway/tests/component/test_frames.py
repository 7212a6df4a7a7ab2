"""Frames: taken in once, looked at by real models, told once, kept sealed."""

import io
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chassis.clock import from_timestamp, new_id
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image
from tartip.inference.v1 import inference_pb2
from tartip_scenes.scenes import Light, draw_scene
from tartip_scenes.streets import Signal
from tartip_testing.mesh import RunningTestMesh

from .callers import As, refused
from .conftest import Plates, changed_event, picture_of, retaken, retired_event
from .peers import Device, Register
from .processes import Process

pytestmark = pytest.mark.usefixtures("triton")


def now() -> datetime:
    return datetime.now(UTC)


def test_a_plate_is_read_told_and_kept(
    edge: As, device: Device, scene: bytes, plates: Plates
) -> None:
    at = now()
    readings = device.sign(scene, at)
    result = edge.ingest(device, scene, at=at, readings=readings)
    assert [plate.text for plate in result.plates] == ["463DXA02"]
    assert result.models_fingerprint.startswith("sha256:")
    [told] = plates.of(device, at_least=1)
    assert told.plate == result.plates[0]
    assert told.readings == readings.readings
    assert told.region == "KZ-75"
    assert told.evidence_sha256 == result.evidence_sha256 == readings.readings.frame_sha256.hex()
    assert told.captured_at == result.captured_at
    assert at <= told.received_at.ToDatetime(tzinfo=UTC) <= now()
    assert [event.subject for event in result.events] == ["inference.v1.plate_read"]


def test_the_same_frame_is_answered_the_same_and_told_once(
    edge: As, device: Device, scene: bytes, plates: Plates, rows: Callable[[str], list[Any]]
) -> None:
    at, frame_id = now(), str(new_id())
    readings = device.sign(scene, at)
    first = edge.ingest(device, scene, frame_id=frame_id, at=at, readings=readings)
    again = edge.ingest(device, scene, frame_id=frame_id, at=at, readings=readings)
    assert again == first
    assert len(plates.of(device, at_least=1)) == 1
    assert len(rows(f"SELECT 1 FROM frames WHERE frame_id = '{frame_id}'")) == 1


def test_the_same_id_with_other_content_is_refused(edge: As, device: Device, scene: bytes) -> None:
    at, frame_id = now(), str(new_id())
    edge.ingest(device, scene, frame_id=frame_id, at=at)
    with refused("ID_REUSED"):
        edge.ingest(device, picture_of("111AAA01", seed=2), frame_id=frame_id, at=at)
    with refused("ID_REUSED"):
        edge.ingest(device, scene, frame_id=frame_id, at=at - timedelta(seconds=1))
    with refused("ID_REUSED"):
        edge.ingest(device, scene, frame_id=frame_id, at=at, readings=device.sign(scene, at))


def test_ids_are_kept_apart_by_caller(
    edge: As, as_: Callable[..., As], device: Device, scene: bytes
) -> None:
    frame_id = str(new_id())
    edge.ingest(device, scene, frame_id=frame_id)
    other = as_("tartip-cli").ingest(device, picture_of("111AAA01", seed=2), frame_id=frame_id)
    assert other.frame_id == frame_id


def test_a_picture_without_a_plate_is_not_kept(
    edge: As, device: Device, rows: Callable[[str], list[Any]]
) -> None:
    grey = io.BytesIO()
    Image.new("RGB", (320, 240), (90, 90, 90)).save(grey, "PNG")
    result = edge.ingest(device, grey.getvalue())
    assert not result.plates
    assert result.evidence_sha256 == ""
    assert not rows(
        f"SELECT 1 FROM frames WHERE frame_id = '{result.frame_id}' AND key_id IS NOT NULL"
    )


def test_forged_readings_are_refused_and_leave_nothing(
    edge: As, device: Device, scene: bytes, plates: Plates, rows: Callable[[str], list[Any]]
) -> None:
    at = now()
    stranger = replace(device, key=Ed25519PrivateKey.generate())
    with refused("READINGS_NOT_SIGNED"):
        edge.ingest(device, scene, at=at, readings=stranger.sign(scene, at))
    faster = device.sign(scene, at)
    faster.readings.speed_kmh = 140.0
    with refused("READINGS_NOT_SIGNED"):
        edge.ingest(device, scene, at=at, readings=faster)
    with refused("READINGS_OF_OTHER_FRAME"):
        edge.ingest(device, scene, at=at, readings=device.sign(b"another picture", at))
    assert not plates.of(device, at_least=0)
    assert not rows(f"SELECT 1 FROM frames WHERE camera_id = '{device.camera_id}'")


def test_a_counter_never_goes_back(edge: As, device: Device, scene: bytes) -> None:
    at = now()
    early = device.sign(scene, at)
    late = device.sign(scene, at)
    edge.ingest(device, scene, at=at, readings=late)
    with refused("COUNTER_WENT_BACK"):
        edge.ingest(device, scene, at=at, readings=early)
    with refused("COUNTER_WENT_BACK"):
        edge.ingest(device, scene, at=at, readings=late)


def test_a_picture_is_evidence_of_one_measurement(
    edge: As, device: Device, scene: bytes, plates: Plates
) -> None:
    at, frame_id = now(), str(new_id())
    first = device.sign(scene, at)
    answered = edge.ingest(device, scene, frame_id=frame_id, at=at, readings=first)
    faster = device.sign(scene, at, speed_kmh=140.0)
    with refused("PICTURE_SIGNED_BEFORE"):
        edge.ingest(device, scene, at=at, readings=faster)
    # The frame itself, sent again, is answered as it was; another picture is taken.
    assert edge.ingest(device, scene, frame_id=frame_id, at=at, readings=first) == answered
    other = retaken(scene)
    edge.ingest(device, other, at=at, readings=device.sign(other, at))
    assert len(plates.of(device, at_least=2)) == 2


def test_clocks_that_differ_are_named(edge: As, device: Device, scene: bytes) -> None:
    with refused("FRAME_FROM_FUTURE"):
        edge.ingest(device, scene, at=now() + timedelta(minutes=1))
    at = now()
    with refused("BAD_REQUEST") as told:
        edge.ingest(device, scene, at=at, readings=device.sign(scene, at - timedelta(seconds=30)))
    assert [error.field for error in told[0].fields] == ["captured_at"]


def test_every_wrong_field_is_named_at_once(edge: As) -> None:
    request = inference_pb2.IngestFrameRequest(
        frame_id="7",
        readings=inference_pb2.SignedReadings(
            readings=inference_pb2.Readings(speed_kmh=float("nan"), counter=-1)
        ),
    )
    with refused("BAD_REQUEST") as told:
        edge.stub.IngestFrame(request, timeout=5)
    assert {error.field for error in told[0].fields} == {
        "frame_id",
        "camera_id",
        "captured_at",
        "picture",
        "readings.readings.device_time",
        "readings.readings.device_serial",
        "readings.readings.counter",
        "readings.readings.speed_kmh",
    }


def _moving(frames: int) -> bytes:
    file = io.BytesIO()
    pictures = [Image.new("RGB", (64, 64), (n * 40, 0, 0)) for n in range(frames)]
    pictures[0].save(file, "WEBP", save_all=True, append_images=pictures[1:])
    return file.getvalue()


def _huge() -> bytes:
    file = io.BytesIO()
    Image.new("1", (9000, 6000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda _: b"%PDF-1.7 not a picture", "NOT_A_PICTURE"),
        (lambda scene: scene[: len(scene) // 2], "PICTURE_TRUNCATED"),
        (lambda _: _huge(), "PICTURE_TOO_LARGE"),
        (lambda scene: scene + bytes(8 * 1024 * 1024), "PICTURE_TOO_LARGE"),
        (lambda _: _moving(3), "PICTURE_ANIMATED"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(
    edge: As,
    device: Device,
    scene: bytes,
    spoil: Callable[[bytes], bytes],
    reason: str,
    rows: Callable[[str], list[Any]],
) -> None:
    frame_id = str(new_id())
    with refused(reason):
        edge.ingest(device, spoil(scene), frame_id=frame_id)
    assert not rows(f"SELECT 1 FROM requests WHERE request_id = '{frame_id}'")


def test_an_unknown_camera_is_refused(edge: As, scene: bytes) -> None:
    with refused("CAMERA_NOT_FOUND"):
        edge.ingest(Device(), scene)


def test_the_register_is_asked_once_and_again_after_a_change(
    edge: As,
    register: tuple[Register, str],
    device: Device,
    scene: bytes,
    tell: Callable[..., None],
) -> None:
    edge.ingest(device, scene)
    edge.ingest(device, scene)
    assert register[0].asked.count(device.camera_id) == 1
    renewed = replace(device, key=Ed25519PrivateKey.generate())
    register[0].add(renewed, version=2)
    tell("changed", changed_event(device, 2))
    _eventually(lambda: _signs(edge, renewed, scene))
    at = now()
    with refused("READINGS_NOT_SIGNED"):
        edge.ingest(device, scene, at=at, readings=device.sign(scene, at))


def _signs(edge: As, device: Device, scene: bytes) -> None:
    at = now()
    edge.ingest(device, scene, at=at, readings=device.sign(scene, at))


def test_a_retired_camera_sends_nothing_more(
    edge: As,
    register: tuple[Register, str],
    device: Device,
    scene: bytes,
    tell: Callable[..., None],
) -> None:
    at, frame_id = now(), str(new_id())
    before = edge.ingest(device, scene, frame_id=frame_id, at=at)
    register[0].add(device, retired=True)
    tell("retired", retired_event(device))

    def is_refused() -> None:
        with refused("CAMERA_RETIRED"):
            edge.ingest(device, scene)

    _eventually(is_refused)
    assert edge.ingest(device, scene, frame_id=frame_id, at=at) == before


def _eventually(check: Callable[[], None], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return check()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def test_only_those_who_take_pictures_may_send_them(
    as_: Callable[..., As], device: Device, scene: bytes
) -> None:
    for stranger in (
        as_("egov", kind="partner"),
        as_("violations"),
        as_("operator-gateway", operator="inspector-almaty"),
    ):
        with refused("NOT_ALLOWED"):
            stranger.ingest(device, scene)
    assert as_("operator-gateway", operator="cameras-1").ingest(device, scene).plates


def test_no_plate_is_in_logs_or_readable_columns(
    engines: RunningTestMesh,
    service: Process,
    edge: As,
    device: Device,
    rows: Callable[[str], list[Any]],
) -> None:
    result = edge.ingest(device, picture_of("938KTM05", seed=33))
    assert result.plates
    text = result.plates[0].text.encode()
    assert text not in service.log.read_bytes()
    for path in engines.home.evidence.rglob("*"):
        assert text not in str(path).encode()
        assert not path.is_file() or text not in path.read_bytes()
    kept = rows(f"SELECT result FROM frames WHERE frame_id = '{result.frame_id}'")
    assert text not in kept[0]["result"]
    assert not [row for row in rows("SELECT canonical FROM audit") if text in row["canonical"]]


def test_a_letter_that_looks_like_a_digit_is_read_by_its_place_in_the_form(
    edge: As, device: Device
) -> None:
    """At a red light the reader takes this plate's first Z for a 2, and holds a Z possible."""
    text = "682ZFZ02"
    scene = draw_scene(sum(text.encode()), text=text, signal=Signal.RED, light=Light.DAY)
    [plate] = edge.ingest(device, scene.jpeg).plates
    assert (plate.text, plate.country) == (text, "KZ")
    assert plate.confidence < 0.5


def test_a_plate_that_nobody_sees_under_full_transparency_is_not_read(
    edge: As, device: Device, scene: bytes
) -> None:
    with Image.open(io.BytesIO(scene)) as image:
        shown = image.convert("RGBA")
    [plate] = edge.ingest(device, scene).plates
    box = plate.box
    left, top = int(box.x - box.width), int(box.y - box.height)
    hole = Image.new("L", (int(3 * box.width), int(3 * box.height)), 0)
    alpha = shown.getchannel("A")
    alpha.paste(hole, (left, top))
    shown.putalpha(alpha)
    stream = io.BytesIO()
    shown.save(stream, "PNG")
    assert not edge.ingest(device, stream.getvalue()).plates


def test_a_frame_of_a_camera_whose_clock_is_ahead_is_dated_now(
    edge: As, device: Device, scene: bytes, plates: Plates
) -> None:
    ahead = now() + timedelta(seconds=4)
    result = edge.ingest(device, scene, at=ahead)
    [told] = plates.of(device, at_least=1)
    assert from_timestamp(result.captured_at) == from_timestamp(told.captured_at) <= now()
    assert now() - from_timestamp(told.captured_at) < timedelta(seconds=60)
