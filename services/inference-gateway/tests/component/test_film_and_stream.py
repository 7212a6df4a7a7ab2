"""A film that is sent and the same film over RTSP tell the same events.

Debian's GStreamer serves it where it is installed. The pictures are the same, so the events are:
only moments may differ, by the rounding of RTP's clock.
"""

import io
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import pytest
from chassis.clock import from_timestamp, new_id
from google.protobuf import json_format
from tartip.inference.v1 import functions_pb2, inference_pb2

from .callers import As
from .peers import Device
from .test_functions import Desk, desk_of  # noqa: F401 (a fixture)

pytestmark = [pytest.mark.usefixtures("triton"), pytest.mark.photographs]
FOLDER = os.environ.get("TARTIP_PHOTOGRAPHS", "")
# A line, and how many cross it forward and backward, read by eye; see traffic/truth.json.
FILMS = {
    "topdown_road.avi": ({"x": 0.5, "y": 1}, {"x": 0.5, "y": 0}, 5, 0),
    "car_and_cyclist.mp4": ({"x": 0.6, "y": 0.5}, {"x": 0, "y": 0.5}, 1, 0),
}
AT_MOST_SECONDS = 0.01
# A stream waits for nobody: where the machine was busy elsewhere frames were lost, and nothing can
# be compared.
WATCHED_AT_MOST = 4


def h264(path: Path) -> tuple[bytes, int]:
    """The film as cameras send films, and how many frames it has."""
    file, frames = io.BytesIO(), 0
    with av.open(str(path)) as source, av.open(file, "w", format="mp4") as output:
        shown: Any = source.streams.video[0]
        stream: Any = output.add_stream("h264", rate=shown.average_rate)
        stream.width, stream.height, stream.pix_fmt = shown.width, shown.height, "yuv420p"
        stream.options = {"crf": "14", "bf": "0"}
        for number, frame in enumerate(source.decode(shown)):
            picture = av.VideoFrame.from_ndarray(frame.to_ndarray(format="bgr24"), format="bgr24")
            picture.pts, picture.time_base = number, 1 / shown.average_rate
            output.mux(stream.encode(picture))
            frames += 1
        output.mux(stream.encode())
    return file.getvalue(), frames


def told(results: list[inference_pb2.FrameResult]) -> list[tuple[str, str, str, float]]:
    """Subject, what and rule of every event, and when, in seconds from the first frame."""
    first = from_timestamp(results[0].captured_at)
    return [
        (event.subject, event.what, event.rule, (from_timestamp(event.at) - first).total_seconds())
        for result in results
        for event in result.events
    ]


def seconds_of(results: list[inference_pb2.FrameResult]) -> list[float]:
    first = from_timestamp(results[0].captured_at)
    return [(from_timestamp(one.captured_at) - first).total_seconds() for one in results]


@pytest.mark.skipif(not FOLDER, reason="TARTIP_PHOTOGRAPHS is not set")
@pytest.mark.parametrize(
    "name", [pytest.param("topdown_road.avi", marks=pytest.mark.nightly), "car_and_cyclist.mp4"]
)
def test_a_film_and_its_stream_tell_the_same(
    name: str,
    edge: As,
    command_line: As,
    device: Device,
    desk_of: Callable[..., Desk],  # noqa: F811
    rtsp_server: Callable[[bytes], str],
) -> None:
    start, end, forward, backward = FILMS[name]
    line = {"name": "line", "start": start, "end": end}
    functions = {"vehicles": [{"line": line}], "lines": [{"line": line, "labels": ["car"]}]}
    desk_of().configure(device, json_format.ParseDict(functions, functions_pb2.CameraFunctions()))
    film, frames = h264(Path(FOLDER) / "traffic" / name)

    sent = edge.show(device, film, film_id=str(new_id()), at=datetime.now(UTC), rate=0.0)
    of_film = told([answer.result for answer in sent])
    request = inference_pb2.WatchStreamRequest(
        camera_id=device.camera_id, address=rtsp_server(film), max_frames=frames
    )
    moments = pytest.approx(seconds_of([answer.result for answer in sent]), abs=AT_MOST_SECONDS)
    for _ in range(WATCHED_AT_MOST):
        watched = [answer.result for answer in command_line.stub.WatchStream(request, timeout=180)]
        if seconds_of(watched) == moments:
            break
    assert seconds_of(watched) == moments
    of_stream = told(watched)
    assert [event[:3] for event in of_film] == [event[:3] for event in of_stream]
    for in_film, in_stream in zip(of_film, of_stream, strict=True):
        assert abs(in_film[3] - in_stream[3]) <= AT_MOST_SECONDS
    passed = Counter(
        what.rpartition(" ")[2] for subject, what, *_ in of_film if "vehicle_passed" in subject
    )
    assert abs(passed["forward"] - forward) <= 1 and abs(passed["backward"] - backward) <= 1
