"""The RPCs of `Inference` that look at stored photographs."""

import grpc
from chassis.call_context import current_caller
from chassis.identity import Policy, allow
from chassis.refusals import checks
from tartip.inference.v1 import inference_pb2 as pb

from inference_gateway.evidence.grpc_api import SHA256
from inference_gateway.frames.events import box_to_proto, plate_to_proto
from inference_gateway.ingest.evidence_bystanders import EvidenceBystanders
from inference_gateway.ingest.evidence_plates import EvidencePlates

POLICY: Policy = {
    f"/tartip.inference.v1.Inference/{method}": allow(services=("citizen-reports",), purpose=True)
    for method in ("ReadPlates", "FindFacesAndPlates")
}


class PhotographsApi:
    def __init__(self, plates: EvidencePlates, bystanders: EvidenceBystanders) -> None:
        self._plates = plates
        self._bystanders = bystanders

    async def ReadPlates(
        self, request: pb.ReadPlatesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ReadPlatesResponse:
        _require_digest(request.sha256)
        plates = await self._plates.read(request.sha256, current_caller().scope)
        return pb.ReadPlatesResponse(plates=map(plate_to_proto, plates))

    async def FindFacesAndPlates(
        self, request: pb.FindFacesAndPlatesRequest, context: grpc.aio.ServicerContext
    ) -> pb.FindFacesAndPlatesResponse:
        _require_digest(request.sha256)
        found = await self._bystanders.find(
            request.sha256, current_caller().scope, confidential=request.confidential
        )
        return pb.FindFacesAndPlatesResponse(
            faces=map(box_to_proto, found.faces), plates=map(box_to_proto, found.plates)
        )


def _require_digest(sha256: str) -> None:
    with checks() as check:
        is_digest = bool(SHA256.fullmatch(sha256))
        check.that(is_digest, "sha256", "must be a SHA-256 in lower-case hex")
