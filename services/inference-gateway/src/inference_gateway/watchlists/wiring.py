"""Builds the parts of the watch-lists and adds them to the service."""

from chassis.db import Database
from chassis.pages import Pages
from host.runtime import Chassis
from tartip.inference.v1 import watchlists_pb2, watchlists_pb2_grpc
from vision.faces.detector import FaceDetector

from inference_gateway.admission import InferencePool
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.settings import InferenceSettings
from inference_gateway.triton import TritonModels
from inference_gateway.watchlists.gallery_sync import GallerySync
from inference_gateway.watchlists.grpc_api import POLICY, WatchlistsApi
from inference_gateway.watchlists.matcher import FaceMatcher
from inference_gateway.watchlists.memory_wipe import warn_unless_erasing
from inference_gateway.watchlists.search import FaceSearch
from inference_gateway.watchlists.usecases import WatchlistDesk


def join(
    chassis: Chassis[InferenceSettings],
    models: TritonModels,
    pool: InferencePool,
    evidence_store: EvidenceStore,
) -> FaceSearch:
    """Add the gRPC service `Watchlists` and its background loops to the chassis. Returns the search
    for faces in frames."""
    warn_unless_erasing()
    detector, lists = FaceDetector(models), GallerySync(chassis.db)

    def desk_on(db: Database) -> WatchlistDesk:
        return WatchlistDesk(db, lists, pool, detector, chassis.clock, evidence_store)

    chassis.serve(
        watchlists_pb2.DESCRIPTOR.services_by_name["Watchlists"],
        watchlists_pb2_grpc.add_WatchlistsServicer_to_server,
        WatchlistsApi(desk_on(chassis.db), Pages(chassis.db.keyring)),
        POLICY,
        needs=("triton",),
    )
    chassis.loop("watch-lists", lists.keep_reading)
    chassis.loop("watch-list sweeper", desk_on(chassis.work_db).keep_sweeping)
    return FaceMatcher(chassis.db, lists, detector, evidence_store, chassis.clock)
