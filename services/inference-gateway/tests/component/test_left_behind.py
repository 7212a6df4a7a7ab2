"""A bag that its owner leaves on a real film: told of once, with its frame as evidence."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chassis.clock import from_timestamp, new_id
from google.protobuf import json_format
from tartip.inference.v1 import functions_pb2

from .callers import As
from .peers import Device
from .test_functions import Desk, desk_of  # noqa: F401 (a fixture)

FOLDER = os.environ.get("TARTIP_PHOTOGRAPHS", "")
FILM = "abandoned/aboda_video4.avi"
# Read by eye: he walks away, and is out of view 4.3 s later.
AWAY_SECONDS, GONE_SECONDS = 18.7, 23.0


@pytest.mark.photographs
@pytest.mark.skipif(not FOLDER, reason="TARTIP_PHOTOGRAPHS is not set")
@pytest.mark.usefixtures("triton")
@pytest.mark.nightly
def test_a_left_bag_is_told_of_once_with_its_frame(
    edge: As,
    as_: Callable[..., As],
    device: Device,
    desk_of: Callable[..., Desk],  # noqa: F811
) -> None:
    told = {"left_objects": {}, "urgency": "URGENCY_URGENT"}
    desk_of().configure(device, json_format.ParseDict(told, functions_pb2.CameraFunctions()))
    started_at = datetime.now(UTC) - timedelta(minutes=5)  # longer ago than the film is long
    film = (Path(FOLDER) / FILM).read_bytes()
    results = edge.show(device, film, film_id=str(new_id()), at=started_at, rate=0.0)
    [result] = [answer.result for answer in results if answer.result.events]
    [event] = result.events
    assert (event.subject, event.what) == ("inference.v1.object_abandoned", "left")
    seconds = (from_timestamp(event.at) - started_at).total_seconds()
    assert AWAY_SECONDS <= seconds <= GONE_SECONDS + 15
    content_type, picture = as_("violations").read(result.evidence_sha256)
    assert content_type == "image/jpeg" and picture.startswith(b"\xff\xd8")
