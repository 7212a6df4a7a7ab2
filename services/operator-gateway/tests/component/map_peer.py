"""The part of the peer camera-registry that answers the map and the list of its cameras."""

from collections import defaultdict
from typing import Any

from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.common.v1.common_pb2 import Place

PAGE = 50
# Of its clusters, on the screen.
CLUSTER_PIXELS = 60


def a_camera(latitude: float, longitude: float, **changes: Any) -> cameras_pb2.Camera:
    """A camera in service; `changes` are fields of it, or of its description."""
    description = cameras_pb2.CameraDescription(
        name="Абай – Достық",
        kind=cameras_pb2.CAMERA_KIND_ANPR,
        serial="SN-1",
        make="Make",
        model="M-2",
        functions=[cameras_pb2.AI_FUNCTION_PLATE],
        connected=True,
    )
    place = description.place
    place.latitude, place.longitude, place.region = latitude, longitude, "KZ-75"
    place.address = "Абай даңғылы, 44"
    camera = cameras_pb2.Camera(
        camera_id=str(new_id()),
        description=description,
        version=2,
        status=cameras_pb2.CAMERA_STATUS_ONLINE,
        status_source=cameras_pb2.CAMERA_STATUS_SOURCE_HUB,
    )
    camera.status_as_of.FromSeconds(1_795_000_000)
    camera.registered_at.FromSeconds(1_790_000_000)
    for name, value in changes.items():
        setattr(camera if name in camera.DESCRIPTOR.fields_by_name else description, name, value)
    camera.description.CopyFrom(description)
    return camera


class PeerMap(cameras_pb2_grpc.CameraRegistryServicer):
    def __init__(self, asked: Any) -> None:
        self._asked = asked

    async def CountCamerasOnMap(self, request: Any, context: Any) -> Any:
        """Clusters by a grid of degrees, which is as good as another; single cameras in streets."""
        self._asked.note(request)
        found = [
            camera
            for camera in self._asked.cameras.values()
            if request.status in (0, camera.status)
            and request.kind in (0, camera.description.kind)
            and _is_within(request.box, camera.description.place)
        ]
        step = CLUSTER_PIXELS * 360 / 256 / 2**request.zoom
        groups: dict[Any, list[cameras_pb2.Camera]] = defaultdict(list)
        alone = request.zoom >= 16 and len(found) <= request.singles_max
        for camera in found:
            place = camera.description.place
            cell = (place.latitude // step, place.longitude // step)
            groups[camera.camera_id if alone else cell].append(camera)
        return cameras_pb2.CountCamerasOnMapResponse(clusters=map(_cluster, groups.values()))

    def page(self, request: Any) -> cameras_pb2.ListCamerasResponse:
        """Of the cameras that are held, those that match text, region, status and box."""
        found = [
            camera
            for camera in self._asked.cameras.values()
            if request.status in (0, camera.status)
            and request.region in ("", camera.description.place.region)
            and request.text.casefold() in camera.description.name.casefold()
            and (not request.HasField("box") or _is_within(request.box, camera.description.place))
        ]
        at = int(request.page.token or 0)
        size = request.page.size or PAGE
        rest = str(at + size) if at + size < len(found) else ""
        return cameras_pb2.ListCamerasResponse(cameras=found[at : at + size], next_page_token=rest)


def _is_within(box: cameras_pb2.Box, place: Place) -> bool:
    return box.south <= place.latitude <= box.north and box.west <= place.longitude <= box.east


def _cluster(cameras: list[cameras_pb2.Camera]) -> cameras_pb2.MapCluster:
    places = [camera.description.place for camera in cameras]
    made = cameras_pb2.MapCluster(
        latitude=sum(place.latitude for place in places) / len(places),
        longitude=sum(place.longitude for place in places) / len(places),
        count=len(cameras),
    )
    for camera in cameras:
        status = cameras_pb2.CameraStatus.Name(camera.status).removeprefix("CAMERA_STATUS_").lower()
        setattr(made, status, getattr(made, status) + 1)
    if len(cameras) == 1:
        made.camera_id, made.kind = cameras[0].camera_id, cameras[0].description.kind
    return made
