"""Films and streams: a plate is told once a passage, from its best frame."""

import hashlib
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import av
import pytest
from chassis.clock import from_timestamp, new_id
from tartip.inference.v1 import inference_pb2
from tartip_scenes.rtsp import RtspServer
from tartip_scenes.scenes import Light, draw_film

from .callers import As, refused
from .conftest import Plates
from .peers import Device
from .processes import Process

pytestmark = pytest.mark.usefixtures("triton")
FRAMES, RATE, TEXT = 12, 4, "725BDE07"


@pytest.fixture(scope="module")
def passage() -> list[Any]:
    """A car that comes nearer."""
    scenes = draw_film(5, frames=FRAMES, text=TEXT, light=Light.DAY)
    return [scene.picture for scene in scenes]


@pytest.fixture(scope="module")
def film(passage: list[Any]) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream: Any = output.add_stream("h264", rate=RATE, options={"crf": "16"})
        height, width = passage[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, picture in enumerate(passage):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def test_a_passage_is_told_once_from_its_best_frame(
    edge: As, as_: Callable[..., As], device: Device, film: bytes, plates: Plates
) -> None:
    film_id, started_at = str(new_id()), datetime.now(UTC) - timedelta(hours=1)
    answers = edge.show(device, film, film_id=film_id, at=started_at)
    frames = [answer for answer in answers if not answer.result.events]
    tracks = [answer.result for answer in answers if answer.result.events]
    assert len(frames) == FRAMES
    progress = [answer.progress for answer in answers]
    assert progress == sorted(progress) and progress[-1] == 1.0
    [told] = plates.of(device, at_least=1)
    assert [plate.text for track in tracks for plate in track.plates] == [TEXT]
    assert told.plate.text == TEXT
    assert not told.HasField("readings")
    moment = from_timestamp(told.captured_at)
    assert started_at <= moment <= started_at + timedelta(seconds=FRAMES / RATE)
    content_type, picture = as_("violations").read(told.evidence_sha256)
    assert content_type == "image/jpeg"
    assert hashlib.sha256(picture).hexdigest() == tracks[0].evidence_sha256

    again = edge.show(device, film, film_id=film_id, at=started_at)
    assert [answer.result for answer in again if answer.result.events] == tracks
    assert len(plates.of(device, at_least=1)) == 1
    with refused("ID_REUSED"):
        edge.show(device, film[:-1], film_id=film_id, at=started_at)


@pytest.mark.parametrize("content", [b"", b"#EXTM3U\nfile:///etc/passwd\n", b"\x1a\x45\xdf\xa3x"])
def test_what_is_no_film_is_refused(edge: As, device: Device, content: bytes) -> None:
    with refused("NOT_A_FILM"):
        edge.show(device, content, film_id=str(new_id()), at=datetime.now(UTC))


def test_a_film_from_the_future_is_refused(edge: As, device: Device, film: bytes) -> None:
    with refused("FRAME_FROM_FUTURE"):
        edge.show(device, film, film_id=str(new_id()), at=datetime.now(UTC) + timedelta(hours=1))


@pytest.fixture
def server(passage: list[Any]) -> Iterator[RtspServer]:
    made = RtspServer(passage)
    yield made
    made.stop()


def test_a_stream_is_watched_and_its_plates_told(
    command_line: As, device: Device, server: RtspServer, plates: Plates, service: Process
) -> None:
    results = command_line.watch(device, server.address, max_frames=6)
    assert len([result for result in results if not result.events]) == 6
    told = plates.of(device, at_least=1)
    assert TEXT in [read.plate.text for read in told]
    assert b"secret-word" not in service.log.read_bytes()


def test_what_was_seen_is_told_when_the_caller_leaves(
    command_line: As, device: Device, server: RtspServer, plates: Plates
) -> None:
    request = inference_pb2.WatchStreamRequest(
        camera_id=device.camera_id, address=server.address, frames_per_second=5.0
    )
    answers = command_line.stub.WatchStream(request)
    for answer in answers:
        if TEXT in [plate.text for plate in answer.result.plates]:
            break
    answers.cancel()
    assert TEXT in [read.plate.text for read in plates.of(device, at_least=1)]


def test_a_stream_that_breaks_is_opened_again(
    command_line: As, device: Device, server: RtspServer
) -> None:
    server.hang_up_after = 15
    results = command_line.watch(device, server.address, max_frames=12)
    assert len([result for result in results if not result.events]) == 12
    assert server.connections > 1


def test_a_stream_that_is_not_there_is_named(
    command_line: As, device: Device, service: Process
) -> None:
    with refused("STREAM_AWAY") as told:
        command_line.watch(device, "rtsp://camera:secret-word@127.0.0.1:9/live", max_frames=1)
    assert "secret-word" not in str(told[0].facts)
    assert b"secret-word" not in service.log.read_bytes()
    with refused("ADDRESS_NOT_RTSP"):
        command_line.watch(device, "http://127.0.0.1:9/live", max_frames=1)
    with refused("CAMERA_NOT_FOUND"):
        command_line.watch(Device(), "rtsp://127.0.0.1:9/live", max_frames=1)


def test_a_device_may_not_have_addresses_opened(edge: As, device: Device) -> None:
    with refused("NOT_ALLOWED"):
        edge.watch(device, "rtsp://127.0.0.1:9/live", max_frames=1)
