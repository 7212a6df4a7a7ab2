"""`tartip streams list` can be read on a screen of 80 columns."""

from __future__ import annotations

from rich.console import Console
from tartip.inference.v1 import streams_pb2 as pb
from tartip_cli.cli.streams import _table

CAMERA = "01a22c4a-0eff-727b-83bb-9e2fe68a41e7"


def test_each_id_and_state_stands_whole_in_its_line() -> None:
    stream = pb.Stream(camera_id=CAMERA, state=pb.STREAM_STATE_UNAUTHORIZED, frames_per_second=2)
    stream.counts.offered = 17
    stream.counts.dropped["stream_away"] = 16
    stream.counts.dropped["no_worker"] = 1
    console = Console(width=80)
    with console.capture() as printed:
        console.print(_table([stream]))
    lines = printed.get().splitlines()
    assert any(CAMERA in line and "unauthorized" in line for line in lines)
    said = " ".join(line.split("│")[-2].strip() for line in lines if line.count("│") > 2)
    assert "2/s: 17 offered = 0 looked at + 0 unchanged + 17 dropped" in said
    assert "16 stream away, 1 no worker" in said
