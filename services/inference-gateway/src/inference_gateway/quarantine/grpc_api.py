"""The RPC of `Inference` that lists quarantined frames: converts between protobuf and the use
case."""

from datetime import datetime
from uuid import UUID

import grpc
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.identity import Policy, allow
from chassis.pages import Pages, PageSpec, moment_in
from chassis.refusals import PageTokenWrong, checks
from tartip.inference.v1 import inference_pb2

from inference_gateway.quarantine.guard import QuarantineGuard
from inference_gateway.quarantine.model import Quarantined

SERVICE = "/tartip.inference.v1.Inference/"
POLICY: Policy = {
    f"{SERVICE}ListQuarantine": allow(roles=("camera_administrator", "auditor")),
}


class QuarantineApi:
    def __init__(self, guard: QuarantineGuard, pages: Pages) -> None:
        self._guard = guard
        self._pages = pages

    async def ListQuarantine(
        self, request: inference_pb2.ListQuarantineRequest, context: grpc.aio.ServicerContext
    ) -> inference_pb2.ListQuarantineResponse:
        camera_id = None
        if request.camera_id:
            with checks() as check:
                camera_id = parse_id(request.camera_id)
                check.that(camera_id is not None, "camera_id", "must be a UUIDv7 in lower case")
        page = self._pages.read(request, current_caller())
        found = await self._guard.page(
            camera_id, after=_after(page.spec), size=page.spec.size, caller=current_caller()
        )
        keys: list[tuple[str, ...]] = [
            (one.arrived_at.isoformat(), str(one.quarantine_id)) for one in found
        ]
        return inference_pb2.ListQuarantineResponse(
            frames=[quarantined_to_proto(one) for one in found],
            next_page_token=page.next_token(keys),
        )


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
