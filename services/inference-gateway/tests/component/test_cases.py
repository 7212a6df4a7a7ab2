"""Small inputs that failed once, each with the outcome that its README calls right.

Films and pictures go over the wire to the real models. `rtsp_faults.py` serves films and
misbehaves; it needs ffmpeg. `test_stream_faults` asks the same of the project's own server.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from chassis.clock import from_timestamp, new_id
from inference_gateway.ingest.rtsp import LATE_SECONDS_MAX
from tartip.inference.v1 import inference_pb2

from .callers import As, refused
from .conftest import Plates
from .peers import Device
from .test_stream_faults import assert_near_now, watched

CASES = Path(os.environ.get("TARTIP_CASES", ""))
pytestmark = [pytest.mark.cases, pytest.mark.usefixtures("triton")]
PLATE, SECOND_PLATE = "498VDZ08", "RK755AJ"
# Plates and notes of each film.
FILMS: dict[str, tuple[set[str], set[str]]] = {
    "concat.ts": ({PLATE, SECOND_PLATE}, {"stamps_bridged"}),
    "jumpfwd.ts": ({PLATE}, {"stamps_bridged"}),
    "interlaced.mp4": ({PLATE}, {"deinterlaced"}),
    "anamorphic.mp4": ({PLATE}, {"pixels_squared"}),
    "dash.m2ts": ({PLATE}, set()),
}
SECONDS = {"dash.m2ts": 4.0}
PROMISED_SECONDS = 10.0
FRAMES = 16
SOURCE = "-re -stream_loop -1 -i {film} -map 0:v -c copy -f rtp {{0}}"


@pytest.mark.parametrize("name", FILMS)
def test_a_film_is_looked_at_whole_and_tells_its_plates_at_their_hour(
    name: str, edge: As, device: Device, plates: Plates
) -> None:
    texts, notes = FILMS[name]
    # As one says who has only just got it: it was over by now, so it began earlier.
    said = datetime.now(UTC)
    answers = edge.show_all(
        device, (CASES / name).read_bytes(), film_id=str(new_id()), at=said, rate=0.0
    )
    summary, length = answers[-1].summary, SECONDS.get(name, 6.0)
    assert summary.offered_seconds == pytest.approx(length, abs=0.2)
    assert summary.looked_at_seconds == summary.offered_seconds
    assert dict(summary.left_out_seconds) == {}
    assert set(summary.notes) == {*notes, "start_moved"}

    told = plates.of(device, at_least=len(texts))
    assert {read.plate.text for read in told} == texts
    began = from_timestamp(summary.started_at)
    assert said - timedelta(seconds=length + 1) <= began <= said
    moments = [from_timestamp(read.captured_at) for read in told]
    moments += [from_timestamp(a.result.captured_at) for a in answers if a.HasField("result")]
    assert all(began <= at <= began + timedelta(seconds=length) for at in moments)


@pytest.mark.parametrize(
    ("name", "notes"), [("gray16.png", []), ("no_eoi.jpg", ["end_marker_added"])]
)
def test_a_picture_is_read_and_what_was_mended_is_said_again_and_again(
    name: str, notes: list[str], edge: As, device: Device
) -> None:
    picture, frame_id, at = (CASES / name).read_bytes(), str(new_id()), datetime.now(UTC)
    first = edge.ingest(device, picture, frame_id=frame_id, at=at)
    assert [plate.text for plate in first.plates] == [PLATE]
    assert list(first.notes) == notes
    assert edge.ingest(device, picture, frame_id=frame_id, at=at) == first


@contextmanager
def misbehaving(film: str, *options: str) -> Iterator[int]:
    """The port of a camera that serves the film so."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("left out: ffmpeg is not installed, which rtsp_faults.py needs")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [
        sys.executable,
        str(CASES / "rtsp_faults.py"),
        str(port),
        SOURCE.format(film=film),
        *options,
    ]
    process = subprocess.Popen(
        command,
        cwd=CASES,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_it_listens(port)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


@pytest.mark.parametrize(
    ("film", "option"),
    [
        ("jumpfwd.ts", "spike=9800"),
        ("anamorphic.mp4", "tsjump=9800@2"),
        ("anamorphic.mp4", "freezets=1"),
        ("anamorphic.mp4", "udponly=1"),
    ],
)
def test_facts_of_a_misbehaving_camera_are_dated_near_now(
    film: str, option: str, command_line: As, device: Device, plates: Plates
) -> None:
    begun = datetime.now(UTC)
    results = watched_while_served(command_line, device, film, option)
    ended = datetime.now(UTC)
    told = plates.of(device, at_least=1)
    assert PLATE in {read.plate.text for read in told}
    facts: list[Any] = [*results, *told]
    dated = [from_timestamp(one.captured_at) for one in facts]
    earliest = begun - timedelta(seconds=LATE_SECONDS_MAX)
    assert all(earliest <= moment <= ended for moment in dated)
    looked = [from_timestamp(one.captured_at) for one in results if not one.events]
    assert len(looked) == FRAMES
    assert looked == sorted(looked)


def watched_while_served(
    command_line: As, device: Device, film: str, option: str
) -> list[inference_pb2.FrameResult]:
    """FRAMES results of a camera that serves the film so.

    On a machine whose processors are all busy the camera's ffmpeg may send nothing for five
    seconds, which is rightly an end of the stream; then it is watched again.
    """
    for left in (2, 1, 0):
        with misbehaving(film, option) as port:
            try:
                address = f"rtsp://127.0.0.1:{port}/x"
                return command_line.watch(device, address, max_frames=FRAMES)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or not left:
                    raise
    raise AssertionError("not reached")


@pytest.mark.parametrize(
    ("film", "option"),
    [
        ("jumpfwd.ts", "spike=9800"),
        ("anamorphic.mp4", "tsjump=9800@2"),
        ("anamorphic.mp4", "freezets=1"),
    ],
)
def test_every_half_second_of_a_misbehaving_camera_is_looked_at(film: str, option: str) -> None:
    with misbehaving(film, option) as port:
        assert_near_now(watched(f"rtsp://127.0.0.1:{port}/x"))


@pytest.mark.parametrize(
    ("options", "user", "reason"),
    [
        (("nosprop=1",), "", "STREAM_NOT_DECODABLE"),
        (("user=viewer", "pass=right"), "viewer:wrong@", "STREAM_UNAUTHORIZED"),
    ],
)
def test_a_camera_that_cannot_be_watched_is_refused_by_name_in_time(
    options: tuple[str, ...], user: str, reason: str, command_line: As, device: Device
) -> None:
    with misbehaving("anamorphic.mp4", *options) as port:
        begun = time.monotonic()
        with refused(reason):
            command_line.watch(device, f"rtsp://{user}127.0.0.1:{port}/x", max_frames=1)
        assert time.monotonic() - begun < 3 * PROMISED_SECONDS


def test_the_right_password_opens_the_stream(command_line: As, device: Device) -> None:
    with misbehaving("anamorphic.mp4", "user=viewer", "pass=right") as port:
        address = f"RTSP://viewer:right@127.0.0.1:{port}/x"
        assert command_line.watch(device, address, max_frames=1)
