"""The gRPC service `tartip.inference.v1.Streams`: converts between protobuf and the use cases."""

import math
import re
from datetime import UTC, datetime
from uuid import UUID

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, PageTokenWrong, checks
from tartip.inference.v1 import streams_pb2 as pb
from tartip.inference.v1 import streams_pb2_grpc

from inference_gateway.ingest.video import FRAMES_PER_SECOND_MAX
from inference_gateway.streams.model import DROPPED, Outcome, Stream, StreamState
from inference_gateway.streams.usecases import StreamsDesk

SERVICE = "/tartip.inference.v1.Streams/"
PUT = allow(services=("tartip-cli",), roles=("camera_administrator",))
POLICY: Policy = {
    f"{SERVICE}PutStream": PUT,
    f"{SERVICE}RemoveStream": PUT,
    f"{SERVICE}ListStreams": allow(
        services=("tartip-cli",),
        roles=("camera_administrator", "dispatcher", "supervisor", "auditor"),
    ),
}
ADDRESS_MAX = 2000
REGION = re.compile(r"(KZ-\d{2})?")
STATES = {
    StreamState.WAITING: pb.STREAM_STATE_WAITING,
    StreamState.LIVE: pb.STREAM_STATE_LIVE,
    StreamState.FROZEN: pb.STREAM_STATE_FROZEN,
    StreamState.BLACK: pb.STREAM_STATE_BLACK,
    StreamState.AWAY: pb.STREAM_STATE_AWAY,
    StreamState.UNAUTHORIZED: pb.STREAM_STATE_UNAUTHORIZED,
    StreamState.GARBLED: pb.STREAM_STATE_GARBLED,
}


class StreamsApi(streams_pb2_grpc.StreamsServicer):
    def __init__(self, desk: StreamsDesk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages

    async def PutStream(
        self, request: pb.PutStreamRequest, context: grpc.aio.ServicerContext
    ) -> pb.PutStreamResponse:
        with checks() as check:
            camera_id = _camera(check, request.camera_id)
            check.that(
                0 < len(request.address) <= ADDRESS_MAX,
                "address",
                f"1 to {ADDRESS_MAX} characters",
            )
            rate = request.frames_per_second
            check.that(
                math.isfinite(rate) and 0 <= rate <= FRAMES_PER_SECOND_MAX,
                "frames_per_second",
                f"0 to {FRAMES_PER_SECOND_MAX:g}",
            )
        assert camera_id is not None
        telemetry.annotate(camera=request.camera_id)
        put = await self._desk.put(
            camera_id, request.address, frames_per_second=rate, caller=current_caller()
        )
        return pb.PutStreamResponse(stream=to_proto(put))

    async def RemoveStream(
        self, request: pb.RemoveStreamRequest, context: grpc.aio.ServicerContext
    ) -> pb.RemoveStreamResponse:
        with checks() as check:
            camera_id = _camera(check, request.camera_id)
        assert camera_id is not None
        telemetry.annotate(camera=request.camera_id)
        await self._desk.remove(camera_id, current_caller())
        return pb.RemoveStreamResponse()

    async def ListStreams(
        self, request: pb.ListStreamsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListStreamsResponse:
        with checks() as check:
            check.that(bool(REGION.fullmatch(request.region)), "region", "KZ- and two digits")
        page = self._pages.read(request, current_caller())
        after = parse_id(page.spec.after[0]) if page.spec.after else None
        if page.spec.after and after is None:
            raise PageTokenWrong
        found = await self._desk.page(
            request.region, after=after, size=page.spec.size, caller=current_caller()
        )
        keys: list[tuple[str, ...]] = [(str(stream.camera_id),) for stream in found]
        return pb.ListStreamsResponse(
            streams=[to_proto(stream) for stream in found],
            next_page_token=page.next_token(keys),
        )


def to_proto(stream: Stream) -> pb.Stream:
    until = datetime.fromtimestamp(stream.counted_until, UTC)
    counts = stream.counts
    return pb.Stream(
        camera_id=str(stream.camera_id),
        region=stream.region,
        frames_per_second=stream.frames_per_second,
        state=STATES[stream.state],
        state_since=to_timestamp(stream.state_since),
        worker=stream.worker,
        generation=stream.generation,
        counts=pb.StreamCounts(
            offered=stream.accounted_until,
            looked_at=counts[Outcome.LOOKED_AT],
            unchanged=counts[Outcome.UNCHANGED],
            dropped={o.value: counts[o] for o in DROPPED if counts[o]},
        ),
        put_at=to_timestamp(stream.put_at),
        counted_until=to_timestamp(until),
    )


def _camera(check: Checks, text: str) -> UUID | None:
    camera_id = parse_id(text)
    check.that(camera_id is not None, "camera_id", "a UUIDv7 in lower case")
    return camera_id
