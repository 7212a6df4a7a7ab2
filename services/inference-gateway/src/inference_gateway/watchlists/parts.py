"""What watch-lists consist of, and how they join the service."""

from chassis.runtime import Chassis
from tartip.inference.v1 import watchlists_pb2, watchlists_pb2_grpc
from vision.faces.detector import FaceDetector

from inference_gateway.evidence import Vault
from inference_gateway.eyes import Eyes
from inference_gateway.settings import InferenceSettings
from inference_gateway.triton import TritonModels
from inference_gateway.watchlists.erasing import warn_unless_erasing
from inference_gateway.watchlists.grpc_api import POLICY, WatchlistsApi
from inference_gateway.watchlists.lists import Lists
from inference_gateway.watchlists.search import FaceSearch
from inference_gateway.watchlists.usecases import WatchDesk
from inference_gateway.watchlists.watching import FaceWatch


def join(
    chassis: Chassis[InferenceSettings], models: TritonModels, eyes: Eyes, vault: Vault
) -> FaceSearch:
    """Serves `Watchlists`, keeps the lists, and gives the search for the path of frames."""
    warn_unless_erasing()
    looker, lists = FaceDetector(models), Lists(chassis.db)
    desk = WatchDesk(chassis.db, lists, eyes, looker, chassis.clock, vault)
    chassis.serve(
        watchlists_pb2.DESCRIPTOR.services_by_name["Watchlists"],
        watchlists_pb2_grpc.add_WatchlistsServicer_to_server,
        WatchlistsApi(desk),
        POLICY,
    )
    chassis.loop("watch-lists", lists.keep_reading)
    chassis.loop("watch-list sweeper", desk.keep_sweeping)
    return FaceWatch(chassis.db, lists, looker, vault, chassis.clock)
