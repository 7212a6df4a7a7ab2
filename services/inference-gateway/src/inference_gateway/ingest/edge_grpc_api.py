"""`SendFrames`, the RPC over which edge boxes stream frames: converts between protobuf and the use
cases."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.grpc_status import as_refusal
from chassis.identity import Policy, allow
from chassis.refusals import Kind, Refusal
from tartip.inference.v1 import inference_pb2

from inference_gateway import metrics
from inference_gateway.frames.model import FrameResult
from inference_gateway.ingest.edge import Answer, EdgeStreams, ReadingsRequired
from inference_gateway.ingest.grpc_api import SERVICE, read_frame, to_proto
from inference_gateway.ingest.usecases import Intake

POLICY: Policy = {
    f"{SERVICE}SendFrames": allow(devices=True),
}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SentFrame:
    """A message that an edge box streamed; it is not validated yet."""

    request: inference_pb2.IngestFrameRequest

    @property
    def frame_id(self) -> str:
        return self.request.frame_id

    @property
    def camera_id(self) -> str:
        return self.request.camera_id


class EdgeApi:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._boxes = EdgeStreams(self._take)

    async def SendFrames(
        self,
        request_iterator: AsyncIterator[inference_pb2.SendFramesRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[inference_pb2.SendFramesResponse]:
        async for answer in self._boxes.answers(_frames(request_iterator)):
            yield told(answer)

    async def _take(self, sent: SentFrame) -> FrameResult:
        """Process a frame in a trace of its own, since a stream lasts for days."""
        with telemetry.span(
            "edge frame",
            parent=telemetry.context_from(""),
            links=telemetry.link_to(telemetry.traceparent()),
        ) as span:
            try:
                return await self._taken(sent.request)
            except Exception as error:
                refusal = as_refusal(error)
                telemetry.set_attribute(span, "tartip.refusal", refusal.reason)
                if refusal.kind is Kind.INTERNAL:
                    log.error("error id %s", refusal.facts.get("error_id"), exc_info=error)
        raise refusal

    async def _taken(self, request: inference_pb2.IngestFrameRequest) -> FrameResult:
        frame = read_frame(request)
        telemetry.annotate(frame=request.frame_id, camera=request.camera_id)
        if frame.readings is None:
            raise ReadingsRequired
        return await self._intake.ingest(frame, current_caller())


async def _frames(
    messages: AsyncIterator[inference_pb2.SendFramesRequest],
) -> AsyncIterator[SentFrame]:
    async for message in messages:
        yield SentFrame(message.frame)


def told(answer: Answer) -> inference_pb2.SendFramesResponse:
    """Convert an answer to the protobuf response. Also counts the frame in the metrics, since a
    streamed frame is not an RPC of its own."""
    refusal = answer.refusal
    metrics.edge_frames.add(1, {"outcome": refusal.reason if refusal else "taken"})
    if refusal is None:
        assert answer.result is not None
        return inference_pb2.SendFramesResponse(
            frame_id=answer.frame_id, result=to_proto(answer.result)
        )
    telemetry.refusals_total.add(1, {"reason": refusal.reason})
    return inference_pb2.SendFramesResponse(
        frame_id=answer.frame_id,
        refusal=inference_pb2.FrameRefusal(
            reason=refusal.reason, message=_sentence(refusal), again=answer.again
        ),
    )


def _sentence(refusal: Refusal) -> str:
    wrong = "; ".join(f"{error.field}: {error.description}" for error in refusal.fields)
    return f"{refusal.message.en} {wrong}".strip()
