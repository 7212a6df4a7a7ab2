"""The gRPC service `tartip.inference.v1.Inference`, composed of the servicers of several
packages."""

from chassis.identity import Policy

from inference_gateway.evidence import grpc_api as evidence
from inference_gateway.holds import grpc_api as holds
from inference_gateway.ingest import edge_grpc_api as edge
from inference_gateway.ingest import grpc_api as ingest
from inference_gateway.ingest import photographs_grpc_api as photographs
from inference_gateway.quarantine import grpc_api as quarantine

POLICY: Policy = {
    **ingest.POLICY,
    **edge.POLICY,
    **photographs.POLICY,
    **evidence.POLICY,
    **holds.POLICY,
    **quarantine.POLICY,
}


class InferenceApi:
    """The complete servicer of the gRPC service `Inference`."""

    def __init__(
        self,
        ingest_api: ingest.IngestApi,
        edge_api: edge.EdgeApi,
        photographs_api: photographs.PhotographsApi,
        evidence_api: evidence.EvidenceApi,
        holds_api: holds.HoldsApi,
        quarantine_api: quarantine.QuarantineApi,
    ) -> None:
        self.IngestFrame = ingest_api.IngestFrame
        self.IngestFilm = ingest_api.IngestFilm
        self.WatchStream = ingest_api.WatchStream
        self.SendFrames = edge_api.SendFrames
        self.ReadPlates = photographs_api.ReadPlates
        self.FindFacesAndPlates = photographs_api.FindFacesAndPlates
        self.StoreEvidence = evidence_api.StoreEvidence
        self.ReadEvidence = evidence_api.ReadEvidence
        self.EraseEvidence = evidence_api.EraseEvidence
        self.HoldEvidence = holds_api.HoldEvidence
        self.ReleaseEvidence = holds_api.ReleaseEvidence
        self.ListDamagedEvidence = evidence_api.ListDamagedEvidence
        self.ListQuarantine = quarantine_api.ListQuarantine
