"""`Inference` whole: what `InferenceApi` answers, the streams of edge boxes, the quarantine."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.grpc_server import Policy, as_refusal
from chassis.identity import allow
from chassis.pages import PageSpec, moment_in, next_token, read_page
from chassis.refusals import Kind, PageTokenWrong, Refusal, checks
from tartip.inference.v1 import inference_pb2

from inference_gateway import measures
from inference_gateway.edge import Answer, Boxes, ReadingsRequired
from inference_gateway.evidence import Vault
from inference_gateway.grpc_api import inference
from inference_gateway.grpc_api.inference import InferenceApi, read_frame, to_proto
from inference_gateway.model import FrameResult
from inference_gateway.quarantine.model import Quarantined
from inference_gateway.quarantine.ward import Ward
from inference_gateway.showing import Showing
from inference_gateway.usecases import Intake

POLICY: Policy = {
    **inference.POLICY,
    f"{inference.SERVICE}SendFrames": allow(devices=True),
    f"{inference.SERVICE}ListQuarantine": allow(roles=("camera_administrator", "auditor")),
}
LIST = "quarantine"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SentFrame:
    """What came over the stream, as it came."""

    request: inference_pb2.IngestFrameRequest

    @property
    def frame_id(self) -> str:
        return self.request.frame_id

    @property
    def camera_id(self) -> str:
        return self.request.camera_id


class EdgeApi(InferenceApi):
    def __init__(self, intake: Intake, showing: Showing, vault: Vault, ward: Ward) -> None:
        super().__init__(intake, showing, vault)
        self._ward = ward
        self._boxes = Boxes(self._take)

    async def SendFrames(
        self,
        request_iterator: AsyncIterator[inference_pb2.SendFramesRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[inference_pb2.SendFramesResponse]:
        async for answer in self._boxes.answers(_frames(request_iterator)):
            yield told(answer)

    async def ListQuarantine(
        self, request: inference_pb2.ListQuarantineRequest, context: grpc.aio.ServicerContext
    ) -> inference_pb2.ListQuarantineResponse:
        camera_id = None
        if request.camera_id:
            with checks() as check:
                camera_id = parse_id(request.camera_id)
                check.that(camera_id is not None, "camera_id", "must be a UUIDv7 in lower case")
        spec = read_page(request.page.size, request.page.token, of=LIST)
        found = await self._ward.page(
            camera_id, after=_after(spec), size=spec.size, caller=current_caller()
        )
        keys: list[tuple[str, ...]] = [
            (one.arrived_at.isoformat(), str(one.quarantine_id)) for one in found
        ]
        return inference_pb2.ListQuarantineResponse(
            frames=[quarantined_to_proto(one) for one in found],
            next_page_token=next_token(keys, spec, of=LIST),
        )

    async def _take(self, sent: SentFrame) -> FrameResult:
        """A story of its own: a stream runs for days, and its frames have little in common."""
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
    """Counts the answer, too: a frame of a stream is no call of its own."""
    refusal = answer.refusal
    measures.edge_frames.add(1, {"outcome": refusal.reason if refusal else "taken"})
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


def quarantined_to_proto(one: Quarantined) -> inference_pb2.QuarantinedFrame:
    return inference_pb2.QuarantinedFrame(
        quarantine_id=str(one.quarantine_id),
        camera_id=str(one.camera_id),
        region=one.region,
        sender=one.sender,
        reason=one.reason,
        frame_id=str(one.frame_id),
        captured_at=to_timestamp(one.captured_at),
        picture_sha256=one.picture_sha256.hex(),
        signed_sha256=one.signed_sha256.hex() if one.signed_sha256 else "",
        counter=one.counter or 0,
        counter_before=one.counter_before or 0,
        device_time=to_timestamp(one.device_time),
        arrived_at=to_timestamp(one.arrived_at),
    )


def _after(spec: PageSpec) -> tuple[datetime, UUID] | None:
    if not spec.after:
        return None
    try:
        moment, quarantine_id = spec.after
        return moment_in(moment), UUID(quarantine_id)
    except ValueError as error:
        raise PageTokenWrong from error
