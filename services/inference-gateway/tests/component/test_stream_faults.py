"""Cameras that misbehave on purpose: what they show is dated near now, what they are has a name.

Served by the project's own RTSP server; the same faults by another server where the cases are.
"""

import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from chassis.refusals import Refusal
from inference_gateway.ingest.frame_reader import live_frames
from inference_gateway.ingest.rtsp import LATE_SECONDS_MAX, StreamAway, StreamFrames
from inference_gateway.ingest.video import SampledFrame
from tartip.inference.v1 import streams_pb2 as pb
from tartip_scenes.clips import clip_of, film_of
from tartip_scenes.rtsp import (
    Fault,
    RtspServer,
    jumping,
    spiking,
    standing_still,
)
from tartip_scenes.scenes import Light, draw_film
from tartip_testing.mesh import RunningTestMesh

from .callers import As, refused
from .peers import Device
from .processes import Process
from .streams_desk import Desk, opened_desk

RATE, SHOTS, HOURS = 10, 12, 9800.0
PROMISED_SECONDS = 10.0
WATCHED_SECONDS_MAX = 60.0
X265 = {"crf": "24", "x265-params": "log-level=none", "tag": "hvc1"}
DATED = {
    "right": None,
    "single frames are hours ahead": spiking(HOURS),
    "from a moment on all are": jumping(HOURS, after_seconds=2.0),
    "or back": jumping(-HOURS, after_seconds=2.0),
    "stamps stand still": standing_still,
}


@pytest.fixture(scope="module")
def pictures() -> list[Any]:
    return [s.picture for s in draw_film(5, frames=10, text="725BDE07", light=Light.DAY)]


@pytest.fixture(scope="module")
def server(pictures: list[Any]) -> Iterator[RtspServer]:
    clip = clip_of(film_of(pictures, rate=RATE, key_every=5))
    hevc = clip_of(film_of(pictures, rate=RATE, key_every=5, codec="hevc", options=X265))
    made = RtspServer(clip)
    for path, stamps in DATED.items():
        if stamps is not None:
            made.stamp(_path(path), stamps)
    made.put("hevc", hevc)
    made.put("hevc-blind", hevc.without_parameters())
    made.put("h264-blind", clip.without_parameters())
    made.guard("guarded", "viewer:right-word")
    made.refuse_tcp("udp")
    made.break_down("no-pictures", Fault.SILENT)
    yield made
    made.stop()


@pytest.fixture
def desk(engines: RunningTestMesh, service: Process) -> Iterator[Desk]:
    with opened_desk(engines) as made:
        yield made


def _path(words: str) -> str:
    return words.replace(" ", "-")


def watched(
    address: str, shots: int = SHOTS, *, rate: float = 2.0
) -> list[tuple[float, SampledFrame]]:
    """Each shot with the second at which it came, on the clock that it is dated by."""
    began = time.monotonic() - 1.0

    def now() -> float:
        passed = time.monotonic() - began
        assert passed < WATCHED_SECONDS_MAX, "frames come, and no shots"
        return passed

    stream = StreamFrames(address, rate, now)
    found = []
    for shot in stream.connection():
        found.append((time.monotonic() - began, shot))
        if len(found) == shots:
            break
    return found


def assert_near_now(found: list[tuple[float, SampledFrame]]) -> None:
    """Never ahead, at most a little behind, and a shot for nearly every half second that passed."""
    assert len(found) == SHOTS
    for came, shot in found:
        assert came - LATE_SECONDS_MAX - 1.0 <= shot.seconds <= came
    moments = [shot.seconds for _, shot in found]
    assert moments == sorted(moments)
    # A machine that is busy elsewhere may cost a slot or two; a clock led astray costs most.
    numbers = [shot.number for _, shot in found]
    assert all(before < later for before, later in pairwise(numbers))
    assert numbers[-1] - numbers[0] < SHOTS + 3


@pytest.mark.parametrize("path", DATED)
def test_what_a_camera_shows_is_dated_near_now_whatever_its_stamps(
    path: str, server: RtspServer
) -> None:
    assert_near_now(watched(server.address_of(_path(path))))


def test_frames_of_a_good_camera_keep_the_distance_of_their_stamps(server: RtspServer) -> None:
    moments = [shot.seconds for _, shot in watched(server.address_of("right"), rate=30.0)]
    steps = [later - before for before, later in pairwise(moments)]
    assert steps == pytest.approx([1 / RATE] * (SHOTS - 1), abs=0.001)


def test_a_stream_is_sampled_from_its_first_frame_on_whenever_that_comes(
    server: RtspServer,
) -> None:
    """As a film is, so that both give the same frames."""
    address = server.address_of("right")
    for _ in range(3):
        moments = [shot.seconds for _, shot in watched(address, 3, rate=1.0)]
        steps = [later - before for before, later in pairwise(moments)]
        assert steps == pytest.approx([1.0, 1.0], abs=0.001)


@pytest.mark.parametrize("path", ["udp", "hevc"])
def test_cameras_over_udp_and_with_h265_are_watched(path: str, server: RtspServer) -> None:
    assert len(watched(server.address_of(path), shots=3)) == 3


def test_capitals_and_the_right_password_open_a_stream(
    triton: Process, command_line: As, device: Device, server: RtspServer
) -> None:
    address = server.address_of("guarded", password="viewer:right-word")
    capitals = " RTSP" + address.removeprefix("rtsp")
    assert command_line.watch(device, capitals, max_frames=1)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("guarded", "STREAM_UNAUTHORIZED"),
        ("h264-blind", "STREAM_NOT_DECODABLE"),
        ("hevc-blind", "STREAM_NOT_DECODABLE"),
        ("no-pictures", "STREAM_AWAY"),
        ("", "STREAM_AWAY"),
    ],
)
def test_each_reason_why_a_stream_cannot_be_watched_has_a_name_in_time(
    path: str, reason: str, command_line: As, device: Device, server: RtspServer, service: Process
) -> None:
    address = server.address_of(path) if path else "rtsp://viewer:secret-word@127.0.0.1:9/live"
    begun = time.monotonic()
    with refused(reason) as told:
        command_line.watch(device, address, max_frames=1)
    assert time.monotonic() - begun < 3 * PROMISED_SECONDS
    assert "word" not in str(told[0].facts)
    assert b"secret-word" not in service.log.read_bytes()


async def test_a_camera_that_takes_the_connection_and_says_nothing_is_away_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"rtsp://127.0.0.1:{mute.getsockname()[1]}/live"
        begun = time.monotonic()
        with pytest.raises(StreamAway):
            await anext(live_frames(StreamFrames(address, 2.0, time.monotonic), room=0))
        assert time.monotonic() - begun < 3 * PROMISED_SECONDS


@pytest.mark.parametrize(
    ("path", "state", "reason"),
    [
        ("guarded", pb.STREAM_STATE_UNAUTHORIZED, "unauthorized"),
        ("hevc-blind", pb.STREAM_STATE_GARBLED, "garbled"),
    ],
)
def test_a_stream_that_is_watched_for_ever_says_the_same(
    path: str,
    state: int,
    reason: str,
    desk: Desk,
    device: Device,
    server: RtspServer,
) -> None:
    begun = time.monotonic()
    desk.put(device, server.address_of(path), rate=4.0)
    desk.until(device, lambda s: s.state == state and s.counts.dropped[reason] > 0)
    assert time.monotonic() - begun < 3 * PROMISED_SECONDS


def test_a_wrong_password_is_not_tried_again_and_again(
    desk: Desk,
    device: Device,
    pictures: list[Any],
) -> None:
    guarded = RtspServer(pictures, rate=RATE)
    guarded.guard("live", "viewer:right-word")
    desk.put(device, guarded.address, rate=4.0)
    desk.until(device, lambda s: s.counts.dropped["unauthorized"] > 12)
    assert guarded.connections == 1
    guarded.stop()


def test_stamps_that_stand_still_cost_a_watched_stream_no_slot(
    triton: Process,
    desk: Desk,
    device: Device,
    server: RtspServer,
) -> None:
    desk.put(device, server.address_of(_path("stamps stand still")), rate=4.0)
    first = desk.until(device, lambda s: s.state == pb.STREAM_STATE_LIVE)
    later = desk.until(device, lambda s: s.counts.offered > first.counts.offered + 40)
    assert later.counts.dropped["stream_away"] <= first.counts.dropped["stream_away"] + 8


def test_a_refusal_of_a_stream_holds_no_word_of_its_address() -> None:
    with pytest.raises(Refusal) as told:
        watched("rtsp://viewer:secret-word@127.0.0.1:9/live")
    assert "secret" not in repr(told.value.facts) + str(told.value)
