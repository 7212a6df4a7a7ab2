"""The RPCs of `Inference` about holds: convert between protobuf and the use cases."""

import grpc
from chassis.fields import read_id, read_moment, read_new_id
from chassis.identity import Policy, allow
from chassis.refusals import checks
from tartip.inference.v1 import inference_pb2 as pb

from inference_gateway.holds.model import EvidenceHold
from inference_gateway.holds.usecases import EvidenceHolds

_SERVICE = "/tartip.inference.v1.Inference/"
_OWNER = allow(services=("citizen-reports",))
POLICY: Policy = {
    f"{_SERVICE}HoldEvidence": _OWNER,
    f"{_SERVICE}ReleaseEvidence": _OWNER,
}


class HoldsApi:
    def __init__(self, holds: EvidenceHolds) -> None:
        self._holds = holds

    async def HoldEvidence(
        self, request: pb.HoldEvidenceRequest, context: grpc.aio.ServicerContext
    ) -> pb.HoldEvidenceResponse:
        with checks() as check:
            hold = EvidenceHold(
                hold_id=read_new_id(check, "hold_id", request.hold_id),
                camera_id=read_id(check, "camera_id", request.camera_id),
                held_from=read_moment(check, "held_from", request.held_from),
                held_until=read_moment(check, "held_until", request.held_until),
            )
            check.that(hold.is_window_right, "held_until", "from held_from to a day later")
        return pb.HoldEvidenceResponse(frames=await self._holds.place(hold))

    async def ReleaseEvidence(
        self, request: pb.ReleaseEvidenceRequest, context: grpc.aio.ServicerContext
    ) -> pb.ReleaseEvidenceResponse:
        with checks() as check:
            hold_id = read_id(check, "hold_id", request.hold_id)
        await self._holds.release(hold_id)
        return pb.ReleaseEvidenceResponse()
