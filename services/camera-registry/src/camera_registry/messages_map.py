"""Converts between the protobuf messages about the map and the model."""

from datetime import datetime

from chassis.fields import check_enums, enum_of, read_moment
from chassis.refusals import checks
from tartip.cameras.v1 import cameras_pb2 as pb

from camera_registry.messages import to_proto
from camera_registry.model.description import AiFunction, CameraKind
from camera_registry.model.map_view import Cluster, MapView, check_view
from camera_registry.model.seeing import WITHIN_METRES_DEFAULT, Sight, Spot, check_spot
from camera_registry.model.status import CameraStatus
from camera_registry.storage.cell_counts import MapFilters


def read_view(request: pb.CountCamerasOnMapRequest) -> tuple[MapView, MapFilters]:
    """Return the view and the filters of a request. Raises BadRequest with every invalid field."""
    box = request.box
    edges = (box.south, box.west, box.north, box.east)
    view = MapView(*edges, request.zoom, request.singles_max)
    with checks() as check:
        check.that(request.HasField("box"), "box", "the part of the map")
        check_view(check, view)
        given = (
            ("kind", request.kind, pb.CameraKind),
            ("function", request.function, pb.AiFunction),
            ("status", request.status, pb.CameraStatus),
        )
        check_enums(check, given)
        is_retired = request.status == pb.CAMERA_STATUS_RETIRED
        check.that(not is_retired, "status", "of cameras in service, or nothing")
    filters = MapFilters(
        kind=enum_of(CameraKind, pb.CameraKind, request.kind),
        function=enum_of(AiFunction, pb.AiFunction, request.function),
        status=enum_of(CameraStatus, pb.CameraStatus, request.status),
    )
    return view, filters


def cluster_to_proto(cluster: Cluster) -> pb.MapCluster:
    kind = cluster.kind
    return pb.MapCluster(
        latitude=cluster.latitude,
        longitude=cluster.longitude,
        count=cluster.by_status.total(),
        online=cluster.by_status[CameraStatus.ONLINE],
        degraded=cluster.by_status[CameraStatus.DEGRADED],
        offline=cluster.by_status[CameraStatus.OFFLINE],
        unknown=cluster.by_status[CameraStatus.UNKNOWN],
        tampered=cluster.by_status[CameraStatus.TAMPERED],
        camera_id=str(cluster.camera_id) if cluster.camera_id else "",
        kind=pb.CameraKind.Value(f"CAMERA_KIND_{kind or 'UNSPECIFIED'}"),
    )


def read_spot(request: pb.ListCamerasSeeingRequest) -> tuple[Spot, datetime | None]:
    """Return the place and the moment (None: now) that a request asks about.

    Raises BadRequest with every invalid field.
    """
    at = None
    spot = Spot(request.latitude, request.longitude, request.within_metres or WITHIN_METRES_DEFAULT)
    with checks() as check:
        check_spot(check, spot)
        if request.HasField("at"):
            at = read_moment(check, "at", request.at)
    return spot, at


def sight_to_proto(sight: Sight) -> pb.SeeingCamera:
    return pb.SeeingCamera(
        camera=to_proto(sight.camera),
        distance_metres=sight.distance_metres,
        is_certain=sight.is_certain,
    )
