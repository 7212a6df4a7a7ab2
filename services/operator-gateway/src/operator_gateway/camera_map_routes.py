"""The map of cameras over REST: clusters of cameras in a part of the map, and vector tiles."""

import hashlib
from typing import Annotated, Literal

from chassis.refusals import checks
from fastapi import APIRouter, Path, Query
from fastapi import Response as Reply
from law.regions import REGIONS
from law.regions.outlines import outlines
from pydantic import BaseModel, Field
from tartip.cameras.v1 import cameras_pb2

from operator_gateway.camera_schemas import AiFunction, CameraKind
from operator_gateway.camera_tiles import MEDIA_TYPE, SINGLES_MAX, ZOOM_MAX, Tile, encode
from operator_gateway.etags import IfNoneMatch, is_known
from operator_gateway.mapping import to_message
from operator_gateway.operator_context import AsOperator
from operator_gateway.schemas import Answer, Request

router = APIRouter(prefix="/v1/cameras", tags=["cameras"])

# Of cameras in service.
StatusInService = Literal["unknown", "online", "degraded", "offline", "tampered"]
_BOX = {"south", "west", "north", "east"}
# A tile is the operator's alone, and its statuses change.
_CACHING = {"Cache-Control": "private, max-age=15", "Vary": "Authorization"}
_TILE_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
    204: {"description": "There is nothing in this tile."},
    304: {"description": "The tile that If-None-Match names is current."},
}


class MapFilters(Request):
    kind: CameraKind | None = None
    function: AiFunction | None = None
    status: StatusInService | None = None


class MapView(MapFilters):
    south: float = Field(ge=-90, le=90)
    west: float = Field(ge=-180, le=180)
    north: float = Field(ge=-90, le=90)
    east: float = Field(ge=-180, le=180, description="Less than west: across the antimeridian.")
    zoom: int = Field(
        ge=0, le=ZOOM_MAX, description="As of web maps: at 0 the world is 256 pixels wide."
    )
    singles_max: int = Field(
        0,
        ge=0,
        le=1000,
        description="In small views from zoom 16 on, count only what lies within the box, and "
        "answer so many cameras one by one.",
    )


class MapCluster(Answer):
    latitude: float
    longitude: float
    count: int
    online: int
    degraded: int
    offline: int
    unknown: int
    tampered: int
    camera_id: str
    kind: CameraKind | None


class MapClusters(Answer):
    clusters: list[MapCluster]


class RegionOutline(BaseModel):
    """A region with its names in Kazakh, Russian and English, the rings of its outline and the
    point for its label. Points are (longitude, latitude)."""

    code: str
    kk: str
    ru: str
    en: str
    city: bool
    rings: tuple[tuple[tuple[float, float], ...], ...]
    label: tuple[float, float]


class RegionOutlines(BaseModel):
    regions: list[RegionOutline]


Zoom = Annotated[int, Path(ge=0, le=ZOOM_MAX)]
Column = Annotated[int, Path(ge=0, description="Eastwards, less than two to the power of z.")]
Row = Annotated[int, Path(ge=0, description="Southwards, less than two to the power of z.")]


@router.get("/map")
async def cameras_on_map(view: Annotated[MapView, Query()], context: AsOperator) -> MapClusters:
    """The cameras in service in a part of the map, clustered by H3 cells of about 60 pixels. A
    cluster has the number of its cameras, in total and by status, and their mean position. A
    cluster of one camera also has the camera's id."""
    values = view.model_dump(exclude=_BOX) | {"box": view.model_dump(include=_BOX)}
    request = to_message(values, cameras_pb2.CountCamerasOnMapRequest)
    return MapClusters.of(await context.call(context.peers.cameras.CountCamerasOnMap, request))


@router.get("/map/regions")
def regions_on_map(context: AsOperator, response: Reply) -> RegionOutlines:
    """The regions with their names and simplified outlines, for drawing the map. An outline may
    deviate from the border by about two kilometres."""
    response.headers["Cache-Control"] = "private, max-age=86400"
    drawn = outlines()
    regions = [
        RegionOutline(
            code=code,
            kk=region.kk,
            ru=region.ru,
            en=region.en,
            city=region.city,
            rings=drawn[code].rings,
            label=drawn[code].label,
        )
        for code, region in REGIONS.items()
    ]
    return RegionOutlines(regions=regions)


@router.get("/tiles/{z}/{x}/{y}.mvt", response_class=Reply, responses=_TILE_ANSWERS)
async def camera_tile(
    z: Zoom,
    x: Column,
    y: Row,
    filters: Annotated[MapFilters, Query()],
    context: AsOperator,
    if_none_match: IfNoneMatch = "",
) -> Reply:
    """A square of the map in Web Mercator as a vector tile (Mapbox Vector Tile 2.1). The response
    is 204 if the tile is empty.

    In the layer `clusters`, a point is a group of cameras, with count, online, degraded, offline,
    tampered and unknown. In the layer `cameras`, a point is a single camera, with id, status and,
    from zoom 16 on, kind. From zoom 16 on, a tile with at most 500 cameras shows each of them as a
    single camera.
    """
    with checks() as check:
        for name, value in (("x", x), ("y", y)):
            check.that(value < 2**z, name, f"0 to {2**z - 1} at zoom {z}")
    tile = Tile(z, x, y)
    request = filters.message(cameras_pb2.CountCamerasOnMapRequest, zoom=z, singles_max=SINGLES_MAX)
    request.box.CopyFrom(tile.box)
    reply = await context.call(context.peers.cameras.CountCamerasOnMap, request)
    content = encode(tile, reply.clusters)
    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"', **_CACHING}
    if is_known(if_none_match, headers["ETag"]):
        return Reply(status_code=304, headers=headers)
    if not content:
        return Reply(status_code=204, headers=headers)
    return Reply(content, media_type=MEDIA_TYPE, headers=headers)
