"""`tartip streams`: sets, removes and lists the RTSP streams that are watched permanently. The list
shows the outcomes of the frames."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.settings import read_settings

if TYPE_CHECKING:
    from tartip.inference.v1 import streams_pb2 as pb

_SECONDS = 10.0
_PAGE = 200
_ID_WIDTH, _STATE_WIDTH = 36, len("unauthorized")
_STYLES = {"live": "green", "waiting": "dim", "frozen": "yellow", "black": "yellow"}

Camera = Annotated[str, typer.Argument(help="Id of a registered camera.")]


def register(app: App) -> None:
    group = typer.Typer(
        help="Watch RTSP streams permanently, shared among the workers.", no_args_is_help=True
    )
    group.command()(put)
    group.command()(remove)
    group.command(name="list")(list_streams)
    app.add_typer(group, name="streams")


def put(
    camera: Camera,
    address: Annotated[
        str, typer.Argument(help="rtsp://…, or - to read it from standard input (for passwords).")
    ],
    fps: Annotated[
        float, typer.Option("--fps", min=0.0, max=30.0, help="How many frames a second to analyse.")
    ] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Have a camera's RTSP stream watched from now on. It replaces an earlier stream of the
    camera."""
    given = sys.stdin.readline().strip() if address == "-" else address
    stream = asyncio.run(_put(camera, given, fps))
    if as_json:
        print_json(_shape(stream))
    else:
        console.print(
            hint(
                f"Watched at {stream.frames_per_second:g} frames/s; `tartip streams list` shows "
                "what became of its frames."
            ),
            highlight=False,
        )


def remove(camera: Camera, as_json: AsJson = False) -> None:
    """Stop watching a camera's stream."""
    asyncio.run(_remove(camera))
    if as_json:
        print_json({"camera_id": camera, "watched": False})
    else:
        console.print("It is no longer watched.")


def list_streams(
    region: Annotated[
        str, typer.Option("--region", help="Only one region, for example KZ-75.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List every stream with its state and the outcomes of its frames."""
    streams = asyncio.run(_list(region))
    if as_json:
        print_json({"streams": [_shape(stream) for stream in streams]})
    elif not streams:
        console.print(hint("No stream is watched: `tartip streams put CAMERA rtsp://…` begins."))
    else:
        console.print(_table(streams))
        console.print(_totals(streams), highlight=False)


async def _put(camera: str, address: str, fps: float) -> pb.Stream:
    from tartip.inference.v1 import streams_pb2 as pb

    async with _stub() as stub:
        request = pb.PutStreamRequest(camera_id=camera, address=address, frames_per_second=fps)
        answer: pb.PutStreamResponse = await stub.PutStream(request, timeout=_SECONDS)
        return answer.stream


async def _remove(camera: str) -> None:
    from tartip.inference.v1 import streams_pb2 as pb

    async with _stub() as stub:
        await stub.RemoveStream(pb.RemoveStreamRequest(camera_id=camera), timeout=_SECONDS)


async def _list(region: str) -> list[pb.Stream]:
    from tartip.common.v1 import common_pb2 as common
    from tartip.inference.v1 import streams_pb2 as pb

    found: list[pb.Stream] = []
    async with _stub() as stub:
        token = ""
        while True:
            request = pb.ListStreamsRequest(
                region=region, page=common.Page(size=_PAGE, token=token)
            )
            answer: pb.ListStreamsResponse = await stub.ListStreams(request, timeout=_SECONDS)
            found += answer.streams
            token = answer.next_page_token
            if not token:
                return found


def _stub() -> Any:
    from tartip.inference.v1 import streams_pb2_grpc

    from tartip_cli.cli.client import service_stub

    return service_stub(read_settings(), streams_pb2_grpc.StreamsStub)


def _shape(stream: pb.Stream) -> dict[str, Any]:
    """A stream in the form that --json prints, without its address."""
    return {
        "camera_id": stream.camera_id,
        "region": stream.region,
        "frames_per_second": stream.frames_per_second,
        "state": _state(stream),
        "state_since": stream.state_since.ToJsonString(),
        "worker": stream.worker,
        "generation": stream.generation,
        "offered": stream.counts.offered,
        "looked_at": stream.counts.looked_at,
        "unchanged": stream.counts.unchanged,
        "dropped": dict(stream.counts.dropped),
        "put_at": stream.put_at.ToJsonString(),
        "counted_until": stream.counted_until.ToJsonString(),
    }


def _state(stream: pb.Stream) -> str:
    from tartip.inference.v1 import streams_pb2 as pb

    return pb.StreamState.Name(stream.state).removeprefix("STREAM_STATE_").lower()


def _table(streams: list[pb.Stream]) -> Table:
    # Ids are given to other commands, so each stands whole in its line, however narrow the screen.
    table = Table(
        Column("camera", no_wrap=True, min_width=_ID_WIDTH),
        Column("state", no_wrap=True, min_width=_STATE_WIDTH),
        Column("since, frames, worker"),
    )
    for stream in streams:
        state = _state(stream)
        since = stream.state_since.ToDatetime().strftime("%m-%d %H:%M:%S")
        rest = f"{since}; {stream.frames_per_second:g}/s: {_totals([stream])}"
        if stream.worker:
            rest += f"; {stream.worker} ({stream.generation})"
        table.add_row(stream.camera_id, Text(state, style=_STYLES.get(state, "red")), rest)
    return table


def _totals(streams: list[pb.Stream]) -> str:
    offered = sum(stream.counts.offered for stream in streams)
    looked_at = sum(stream.counts.looked_at for stream in streams)
    unchanged = sum(stream.counts.unchanged for stream in streams)
    dropped: dict[str, int] = {}
    for stream in streams:
        for reason, frames in stream.counts.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + frames
    looked = f"{offered} offered = {looked_at} looked at + {unchanged} unchanged"
    return f"{looked} + {sum(dropped.values())} dropped ({_dropped(dropped) or 'none'})"


def _dropped(reasons: dict[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return ", ".join(f"{frames} {reason.replace('_', ' ')}" for reason, frames in ordered if frames)
