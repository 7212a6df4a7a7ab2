"""Everything that is wrong, one after the other to one worker: each is refused by its name, what
may be an attack is quarantined, and the worker goes on as if nothing had been."""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from chassis.clock import new_id, to_timestamp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image
from tartip.inference.v1 import inference_pb2

from .callers import As, refused
from .conftest import retaken
from .peers import Device, Register
from .processes import Process

pytestmark = pytest.mark.usefixtures("triton")
Frame = inference_pb2.IngestFrameRequest


@dataclass(frozen=True)
class Bench:
    """What a bad frame is made of: a camera with its device, and a picture that is good."""

    device: Device
    scene: bytes

    def frame(self, picture: bytes, **changes: Any) -> Frame:
        at = datetime.now(UTC)
        given: dict[str, Any] = {
            "frame_id": str(new_id()),
            "camera_id": self.device.camera_id,
            "captured_at": to_timestamp(at),
            "picture": picture,
            "readings": self.device.sign(picture, at),
            **changes,
        }
        return Frame(**given)


def png(width: int, height: int, *, whole: bool) -> bytes:
    """Black, one bit a pixel: 100 megapixels are 12 KB to send and 300 MB to decode."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = b"\x00" * ((width + 7) // 8 + 1) * (height if whole else 1)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def gif(*, frames: int) -> bytes:
    shades = [Image.new("RGB", (320, 240), (80 * number, 0, 0)) for number in range(frames)]
    stream = io.BytesIO()
    shades[0].save(stream, "GIF", save_all=frames > 1, append_images=shades[1:])
    return stream.getvalue()


def forged(bench: Bench) -> Frame:
    stranger = replace(bench.device, key=Ed25519PrivateKey.generate())
    return Bench(stranger, bench.scene).frame(bench.scene)


def faster(bench: Bench) -> Frame:
    frame = bench.frame(bench.scene)
    frame.readings.readings.speed_kmh = 140.0
    return frame


def of_other_picture(bench: Bench) -> Frame:
    frame = bench.frame(bench.scene)
    frame.picture = bench.scene + b"\x00"
    return frame


def replayed(bench: Bench) -> Frame:
    """The counter is the first one, which the good frame before all of this has used."""
    at = datetime.now(UTC)
    readings = replace(bench.device, counter=0).sign(bench.scene, at)
    return bench.frame(bench.scene, captured_at=to_timestamp(at), readings=readings)


def from_future(bench: Bench) -> Frame:
    late = datetime.now(UTC) + timedelta(days=1)
    return bench.frame(
        bench.scene, captured_at=to_timestamp(late), readings=bench.device.sign(bench.scene, late)
    )


def without_numbers(bench: Bench) -> Frame:
    frame = bench.frame(bench.scene)
    frame.readings.readings.speed_kmh = float("nan")
    frame.readings.readings.counter = -1
    return frame


PICTURES: dict[str, tuple[str, Callable[[Bench], bytes]]] = {
    "a truncated JPEG": ("PICTURE_TRUNCATED", lambda bench: bench.scene[: len(bench.scene) // 2]),
    "a 100-megapixel PNG": ("PICTURE_TOO_LARGE", lambda _: png(10_000, 10_000, whole=True)),
    "one line of one": ("PICTURE_TOO_LARGE", lambda _: png(10_000, 10_000, whole=False)),
    "a PNG of two thousand megapixels": (
        "PICTURE_TOO_LARGE",
        lambda _: png(45_000, 45_000, whole=False),
    ),
    "a GIF": ("NOT_A_PICTURE", lambda _: gif(frames=1)),
    "a GIF that moves": ("PICTURE_ANIMATED", lambda _: gif(frames=3)),
    "a text called .jpg": ("NOT_A_PICTURE", lambda _: b"holiday.jpg: wish you were here\n" * 40),
    "a page that says it is a JPEG": ("NOT_A_PICTURE", lambda _: b"\xff\xd8\xff<html>" * 30),
    "nothing": ("BAD_REQUEST", lambda _: b""),
}
FRAMES: dict[str, tuple[str, Callable[[Bench], Frame]]] = {
    "a signature that fails": ("READINGS_NOT_SIGNED", forged),
    "readings that were changed": ("READINGS_NOT_SIGNED", faster),
    "readings of another picture": ("READINGS_OF_OTHER_FRAME", of_other_picture),
    "a counter that goes back": ("COUNTER_WENT_BACK", replayed),
    "a frame from the future": ("FRAME_FROM_FUTURE", from_future),
    "numbers that are none": ("BAD_REQUEST", without_numbers),
    **{
        name: (reason, lambda bench, made=made: bench.frame(made(bench)))  # type: ignore[misc]
        for name, (reason, made) in PICTURES.items()
    },
}
SUSPECT = {
    "READINGS_NOT_SIGNED",
    "READINGS_OF_OTHER_FRAME",
    "COUNTER_WENT_BACK",
    "FRAME_FROM_FUTURE",
}


def film() -> bytes:
    file, rng = io.BytesIO(), np.random.default_rng(1)
    with av.open(file, "w", format="mp4") as output:
        stream: Any = output.add_stream("h264", rate=4)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(8):
            noise = rng.integers(0, 255, (240, 320, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 4)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def without_index(content: bytes) -> bytes:
    return content[: content.index(b"moov") - 4]


def index_spoilt(table: bytes) -> Callable[[bytes], bytes]:
    def spoil(content: bytes) -> bytes:
        at = content.index(table) + 12
        return content[:at] + b"\xff" * 28 + content[at + 28 :]

    return spoil


FILMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "no index": ("FILM_TRUNCATED", without_index),
    "sizes that are none": ("NOT_A_FILM", index_spoilt(b"stsz")),
    "places beyond the end": ("NOT_A_FILM", index_spoilt(b"stco")),
    "times that are none": ("NOT_A_FILM", index_spoilt(b"stts")),
    "no film at all": ("NOT_A_FILM", lambda _: b"RIFF\x00\x00\x00\x00AVI nothing behind it"),
}


@pytest.fixture(scope="module")
def bench(register: tuple[Register, str], scene: bytes) -> Bench:
    device = Device()
    register[0].add(device)
    return Bench(device, scene)


@pytest.fixture
def same_worker(service: Process) -> Iterator[None]:
    """The process lives through the block, and met nothing that it has no name for."""
    assert service.child is not None
    before, told = service.child.pid, service.log.stat().st_size
    yield
    assert service.child.poll() is None and service.child.pid == before
    with service.log.open("rb") as log:
        log.seek(told)
        assert b"error id" not in log.read()


@pytest.mark.usefixtures("same_worker")
def test_each_wrong_frame_has_its_name_and_the_next_good_one_is_read(
    edge: As, bench: Bench, rows: Callable[[str], list[Any]]
) -> None:
    def ingest(frame: Frame) -> inference_pb2.FrameResult:
        answer = edge.stub.IngestFrame(frame, timeout=40)
        return answer.result  # type: ignore[no-any-return]

    assert ingest(bench.frame(retaken(bench.scene))).plates
    for reason, made in FRAMES.values():
        with refused(reason):
            ingest(made(bench))
    assert ingest(bench.frame(retaken(bench.scene))).plates

    mine = f"camera_id = '{bench.device.camera_id}'"
    assert rows(f"SELECT count(*) AS n FROM frames WHERE {mine}")[0]["n"] == 2
    suspect = [reason for reason, _ in FRAMES.values() if reason in SUSPECT]
    kept = rows(f"SELECT reason, picture_sha256 FROM quarantine WHERE {mine} ORDER BY arrived_at")
    assert [row["reason"] for row in kept] == suspect
    assert kept[0]["picture_sha256"] == hashlib.sha256(bench.scene).digest()


@pytest.mark.usefixtures("same_worker")
def test_the_same_frames_over_a_boxs_stream(edge: As, bench: Bench) -> None:
    frames = [made(bench) for _, made in FRAMES.values()]
    requests = (
        inference_pb2.SendFramesRequest(frame=one)
        for one in (*frames, bench.frame(retaken(bench.scene)))
    )
    *answers, last = edge.stub.SendFrames(requests, timeout=120)
    assert [answer.refusal.reason for answer in answers] == [
        reason for reason, _ in FRAMES.values()
    ]
    assert not any(answer.refusal.again for answer in answers)
    assert last.result.plates


@pytest.mark.usefixtures("same_worker")
def test_films_with_a_broken_index_are_refused_and_the_whole_one_is_shown(
    edge: As, bench: Bench
) -> None:
    whole, at = film(), datetime.now(UTC) - timedelta(minutes=1)
    for reason, spoil in FILMS.values():
        with refused(reason):
            edge.show(bench.device, spoil(whole), film_id=str(new_id()), at=at)
    assert len(edge.show(bench.device, whole, film_id=str(new_id()), at=at)) == 8
