"""Which frames are let in, whose the readings are, and what the same id must come with."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from chassis.clock import new_id
from chassis.refusals import BadRequest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from inference_gateway.cameras.model import Camera, CameraRetired
from inference_gateway.frames import storage
from inference_gateway.frames.model import (
    ArrivedFrame,
    EmittedEvent,
    FaceVerdict,
    FrameFromFuture,
    FrameResult,
    Readings,
    ReadingsNotSigned,
    ReadingsOfOtherFrame,
    ReadPlate,
    SeenFace,
    SeenObject,
    SignedReadings,
    check_frame,
    measured,
)
from vision.boxes import Box

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
CAMERA = Camera(new_id(), "KZ-75", 1, "KZ-0001", KEY.public_key().public_bytes_raw(), False)
PICTURE = b"a picture"


def signed(**changes: object) -> SignedReadings:
    told = {
        "device_serial": CAMERA.serial,
        "device_time": NOW,
        "counter": 1,
        "frame_sha256": hashlib.sha256(PICTURE).digest(),
        "speed_kmh": 90.0,
    }
    readings = Readings(**{**told, **changes})  # type: ignore[arg-type]
    return SignedReadings(readings, KEY.sign(readings.canonical()))


def frame(readings: SignedReadings | None = None, captured_at: datetime = NOW) -> ArrivedFrame:
    digest = hashlib.sha256(PICTURE).digest()
    return ArrivedFrame(new_id(), CAMERA.camera_id, captured_at, PICTURE, digest, readings)


def plate(text: str, *, legible: bool = True) -> ReadPlate:
    box = Box(1.0, 2.0, 3.0, 4.0)
    return ReadPlate(text, 0.9, (0.9,) * len(text), box, "KZ", "car_person", legible)


def test_a_signed_frame_of_a_camera_in_use_is_let_in() -> None:
    check_frame(frame(signed()), CAMERA, NOW)


def test_a_retired_camera_sends_nothing_more() -> None:
    with pytest.raises(CameraRetired):
        check_frame(frame(), replace(CAMERA, retired=True), NOW)


def test_a_clock_may_run_ahead_a_little_but_not_more() -> None:
    check_frame(frame(captured_at=NOW + timedelta(seconds=4)), CAMERA, NOW)
    with pytest.raises(FrameFromFuture):
        check_frame(frame(captured_at=NOW + timedelta(seconds=6)), CAMERA, NOW)


def test_an_old_frame_is_let_in() -> None:
    check_frame(frame(captured_at=NOW - timedelta(days=3)), CAMERA, NOW)


def test_a_camera_without_a_key_measures_nothing() -> None:
    with pytest.raises(ReadingsNotSigned):
        check_frame(frame(signed()), replace(CAMERA, device_key=b""), NOW)


def test_readings_of_another_picture_are_refused_by_name() -> None:
    with pytest.raises(ReadingsOfOtherFrame):
        check_frame(frame(signed(frame_sha256=bytes(32))), CAMERA, NOW)


def test_serial_and_moment_of_the_device_must_be_those_of_camera_and_frame() -> None:
    told = signed(device_serial="another", device_time=NOW - timedelta(seconds=6))
    with pytest.raises(BadRequest) as refused:
        check_frame(frame(told), CAMERA, NOW)
    assert [error.field for error in refused.value.fields] == [
        "readings.readings.device_serial",
        "captured_at",
    ]


@pytest.mark.parametrize(
    ("plates", "expected"),
    [
        ((), None),
        ((plate("123ABC02"),), 0),
        ((plate("123ABC02", legible=False),), 0),
        ((plate("TAXI5", legible=False), plate("123ABC02")), 1),
        ((plate("123ABC02"), plate("777AAA01")), None),
        ((plate("TAXI5", legible=False), plate("SALE50", legible=False)), None),
    ],
)
def test_readings_count_for_a_plate_only_where_it_is_the_only_one(
    plates: tuple[ReadPlate, ...], expected: int | None
) -> None:
    assert measured(plates) == expected


def test_every_named_field_of_a_frame_is_compared() -> None:
    first = frame(signed())
    others = [
        replace(first, camera_id=new_id()),
        replace(first, captured_at=NOW + timedelta(microseconds=1)),
        replace(first, picture_sha256=bytes(32)),
        replace(first, readings=None),
        replace(first, readings=signed(counter=2)),
        replace(first, readings=replace(signed(), signature=bytes(64))),
    ]
    contents = {first.content, *(other.content for other in others)}
    assert len(contents) == len(others) + 1
    assert replace(first, frame_id=new_id()).content == first.content


def test_a_result_comes_back_from_storage_as_it_was() -> None:
    result = FrameResult(
        frame_id=new_id(),
        captured_at=NOW + timedelta(microseconds=7),
        plates=(plate("123ABC02"), replace(plate("A1"), character_confidences=(0.5, 0.25))),
        objects=(SeenObject("car", 0.75, Box(9.0, 8.0, 7.0, 6.0), track=4),),
        faces=(
            SeenFace(Box(5.0, 4.0, 3.0, 2.0), FaceVerdict.NO_MATCH),
            SeenFace(Box(1.0, 2.0, 3.0, 4.0), FaceVerdict.CANDIDATE, UUID(int=9)),
        ),
        events=(
            EmittedEvent(UUID(int=3), "inference.v1.plate_read"),
            EmittedEvent(
                UUID(int=4),
                "inference.v1.zone_crossed",
                "entered",
                "gate",
                7,
                Box(0.5, 1.5, 2.5, 3.5),
                0.625,
                NOW,
            ),
        ),
        evidence_sha256="ab" * 32,
        models_fingerprint="sha256:cd",
    )
    assert storage.result_from(storage.result_bytes(result)) == result
    assert [face.candidate_id for face in result.as_stored.faces] == [UUID(int=9)]
