"""The RPC of `Inference` that reads plates in stored photographs."""

import grpc
from chassis.call_context import current_caller
from chassis.identity import Policy, allow
from chassis.refusals import checks
from tartip.inference.v1 import inference_pb2 as pb

from inference_gateway.evidence.grpc_api import SHA256
from inference_gateway.frames.events import plate_to_proto
from inference_gateway.ingest.evidence_plates import EvidencePlates

POLICY: Policy = {
    "/tartip.inference.v1.Inference/ReadPlates": allow(services=("citizen-reports",), purpose=True)
}


class PlatesApi:
    def __init__(self, plates: EvidencePlates) -> None:
        self._plates = plates

    async def ReadPlates(
        self, request: pb.ReadPlatesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ReadPlatesResponse:
        with checks() as check:
            is_digest = bool(SHA256.fullmatch(request.sha256))
            check.that(is_digest, "sha256", "must be a SHA-256 in lower-case hex")
        plates = await self._plates.read(request.sha256, current_caller().scope)
        return pb.ReadPlatesResponse(plates=map(plate_to_proto, plates))
