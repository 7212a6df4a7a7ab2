"""The register of cameras over REST."""

from typing import Annotated

from chassis import telemetry
from fastapi import APIRouter, Query
from fastapi import Response as Reply
from pydantic import BaseModel, ConfigDict, Field, model_validator
from tartip.cameras.v1 import cameras_pb2

from operator_gateway.camera_schemas import (
    AiFunction,
    CameraAnswer,
    CameraKind,
    CameraOrder,
    CameraPage,
    CameraStatus,
    CameraVersions,
    ChangeCamera,
    MergeCameras,
    NearestCameras,
    RegisterCamera,
    RetireCamera,
    SiteCategory,
)
from operator_gateway.etags import IfMatch, IfNoneMatch, is_known, same_version, tag, tag_of
from operator_gateway.mapping import to_message
from operator_gateway.operator_context import AsOperator
from operator_gateway.schemas import (
    Id,
    IdempotencyKey,
    Instant,
    Listing,
    Region,
    Request,
    client_made_id,
)

router = APIRouter(prefix="/v1/cameras", tags=["cameras"])

_POINT = r"-?[0-9]{1,3}(\.[0-9]{1,15})?,-?[0-9]{1,3}(\.[0-9]{1,15})?"
_CIRCLE = ("latitude", "longitude", "radius_metres")
_BOX = ("south", "west", "north", "east")


class CameraFilters(Request):
    region: Region = ""
    function: AiFunction | None = None
    kind: CameraKind | None = None
    status: CameraStatus | None = None
    with_retired: bool = False
    serial_or_name: str = Field("", max_length=200)
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    radius_metres: float | None = Field(None, gt=0, le=50_000)
    south: float | None = Field(None, ge=-90, le=90)
    west: float | None = Field(None, ge=-180, le=180)
    north: float | None = Field(None, ge=-90, le=90)
    east: float | None = Field(
        None, ge=-180, le=180, description="Less than west: across the antimeridian."
    )
    polygon: str = Field(
        "",
        max_length=40_000,
        pattern=rf"^({_POINT}(;{_POINT})*)?$",
        description="The points of a ring, as latitude,longitude;latitude,longitude;…",
    )
    owner_bin: str = Field("", max_length=12)
    site_category: SiteCategory | None = None
    text: str = Field(
        "", max_length=200, description="Words of the name, site or address; the last may be cut."
    )
    kato_prefix: str = Field("", pattern=r"^([0-9]{2,9})?$")
    order: CameraOrder | None = None

    @model_validator(mode="after")
    def area_is_whole(self) -> "CameraFilters":
        for names in (_CIRCLE, _BOX):
            given = [getattr(self, name) is not None for name in names]
            if any(given) and not all(given):
                raise ValueError(f"an area needs all of {', '.join(names)}")
        return self

    def request(self) -> cameras_pb2.ListCamerasRequest:
        """Return the gRPC request for the cameras that match these filters. The request has no page
        size and no token yet."""
        areas = {*_CIRCLE, *_BOX, "polygon"}
        given = self.model_dump(include=set(CameraFilters.model_fields) - areas)
        request = to_message(given, cameras_pb2.ListCamerasRequest)
        if self.radius_metres is not None:
            request.area.CopyFrom(cameras_pb2.Area(**self.model_dump(include={*_CIRCLE})))
        if self.south is not None:
            request.box.CopyFrom(cameras_pb2.Box(**self.model_dump(include={*_BOX})))
        for point in self.polygon.split(";") if self.polygon else ():
            latitude, longitude = map(float, point.split(","))
            request.polygon.points.add(latitude=latitude, longitude=longitude)
        return request


class CameraListing(CameraFilters, Listing):
    def request(self) -> cameras_pb2.ListCamerasRequest:
        """Return the gRPC request for this page of the cameras that match the filters."""
        wanted = super().request()
        wanted.page.size, wanted.page.token = self.page_size, self.page_token
        return wanted


class NearestListing(BaseModel):
    """The query parameters of a search for the nearest cameras. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    count: int = Field(10, ge=1, le=50)
    function: AiFunction | None = None
    kind: CameraKind | None = None


@router.post("", status_code=201)
async def register_camera(
    body: RegisterCamera,
    context: AsOperator,
    response: Reply,
    idempotency_key: IdempotencyKey = None,
) -> CameraAnswer:
    """Registers a camera. The client generates its id and sends it as `camera_id` or in the header
    Idempotency-Key. Role camera_administrator."""
    camera_id = client_made_id(body.camera_id, idempotency_key, "camera_id")
    request = body.message(cameras_pb2.RegisterCameraRequest, camera_id=camera_id)
    reply = await context.call(context.peers.cameras.RegisterCamera, request)
    telemetry.annotate(camera=reply.camera.camera_id)
    tag(response, reply.camera)
    return CameraAnswer.of(reply)


@router.get("")
async def list_cameras(
    listing: Annotated[CameraListing, Query()], context: AsOperator
) -> CameraPage:
    """Cameras, filtered by place, AI function, kind, status, owner, site category, words, serial
    number or name. They are ordered by id or by name. A search by area or polygon is ordered by H3
    cell instead. A search by district is ordered by KATO (district) code."""
    return CameraPage.of(await context.call(context.peers.cameras.ListCameras, listing.request()))


class OwnerSearch(Listing):
    owner_iin: str = Field(repr=False, description="IIN of an owner who is a person.")


@router.post("/owned")
async def list_owned_cameras(search: OwnerSearch, context: AsOperator) -> CameraPage:
    """Cameras that the person with this IIN (individual identification number) owns. The search is
    audited. The method is POST, so that no URL contains an IIN. Role camera_administrator or
    supervisor."""
    request = search.message(cameras_pb2.ListCamerasRequest)
    return CameraPage.of(await context.call(context.peers.cameras.ListCameras, request))


@router.get("/nearest")
async def find_nearest_cameras(
    listing: Annotated[NearestListing, Query()], context: AsOperator
) -> NearestCameras:
    """The cameras in service that are nearest to a place, in order of distance, with their
    distances in metres."""
    request = to_message(listing.model_dump(), cameras_pb2.FindNearestCamerasRequest)
    reply = await context.call(context.peers.cameras.FindNearestCameras, request)
    return NearestCameras.of(reply)


@router.get("/{camera_id}", response_model=CameraAnswer)
async def get_camera(
    camera_id: Id,
    context: AsOperator,
    response: Reply,
    as_of: Annotated[Instant | None, Query()] = None,
    if_none_match: IfNoneMatch = "",
) -> CameraAnswer | Reply:
    """One camera with its current description, or with the one that was valid at `as_of`. The
    response has an ETag, which a request to change the camera must send in If-Match. If a read
    sends the ETag in If-None-Match and nothing has changed, the response is 304.

    If the owner is a person, the roles camera_administrator and supervisor also get the IIN
    (individual identification number) if they send the header Tartip-Purpose. This is audited.
    """
    request = to_message({"camera_id": camera_id, "as_of": as_of}, cameras_pb2.GetCameraRequest)
    reply = await context.call(context.peers.cameras.GetCamera, request)
    telemetry.annotate(camera=reply.camera.camera_id)
    current = tag_of(reply.camera)
    if is_known(if_none_match, current):
        return Reply(status_code=304, headers={"ETag": current})
    tag(response, reply.camera)
    return CameraAnswer.of(reply)


@router.get("/{camera_id}/versions")
async def list_camera_versions(
    camera_id: Id, listing: Annotated[Listing, Query()], context: AsOperator
) -> CameraVersions:
    """The versions of a camera's description, newest first. Each has the time from which it was
    valid, and the fields in which it differs from the version before."""
    request = listing.message(cameras_pb2.ListCameraVersionsRequest)
    request.camera_id = camera_id
    reply = await context.call(context.peers.cameras.ListCameraVersions, request)
    telemetry.annotate(camera=camera_id)
    return CameraVersions.of(reply)


@router.put("/{camera_id}")
async def change_camera(
    camera_id: Id, body: ChangeCamera, context: AsOperator, version: IfMatch, response: Reply
) -> CameraAnswer:
    """Replaces a camera's description. Refused (412) if the camera has changed since the version in
    the header If-Match. Role camera_administrator."""
    request = body.message(
        cameras_pb2.ChangeCameraRequest,
        camera_id=camera_id,
        version=same_version(version, body.version),
    )
    reply = await context.call(context.peers.cameras.ChangeCamera, request)
    telemetry.annotate(camera=reply.camera.camera_id)
    tag(response, reply.camera)
    return CameraAnswer.of(reply)


@router.post("/{camera_id}/retire")
async def retire_camera(
    camera_id: Id, body: RetireCamera, context: AsOperator, version: IfMatch, response: Reply
) -> CameraAnswer:
    """Takes a camera out of service permanently. Refused (412) if the camera has changed since the
    version in the header If-Match. Role camera_administrator."""
    request = body.message(
        cameras_pb2.RetireCameraRequest,
        camera_id=camera_id,
        version=same_version(version, body.version),
    )
    reply = await context.call(context.peers.cameras.RetireCamera, request)
    telemetry.annotate(camera=reply.camera.camera_id)
    tag(response, reply.camera)
    return CameraAnswer.of(reply)


@router.post("/{camera_id}/merge")
async def merge_cameras(
    camera_id: Id, body: MergeCameras, context: AsOperator, version: IfMatch, response: Reply
) -> CameraAnswer:
    """Retires the camera `duplicate_id`, which is a duplicate of `camera_id`. The camera
    `camera_id` is kept, and gets the verifications and legal bases that only the duplicate has.
    Refused (412) if the version of either camera has changed. Role camera_administrator."""
    request = body.message(
        cameras_pb2.MergeCamerasRequest,
        camera_id=camera_id,
        version=same_version(version, body.version),
    )
    reply = await context.call(context.peers.cameras.MergeCameras, request)
    telemetry.annotate(camera=reply.camera.camera_id)
    tag(response, reply.camera)
    return CameraAnswer.of(reply)
