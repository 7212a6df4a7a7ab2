"""Statistics over REST: cameras by region, and revenue by region and day."""

from typing import Annotated

from fastapi import APIRouter, Query
from tartip.cameras.v1 import cameras_pb2
from tartip.fines.v1 import fines_pb2

from operator_gateway.camera_schemas import AiFunction, CameraKind, SiteCategory
from operator_gateway.operator_context import AsOperator
from operator_gateway.schemas import Answer, Day, Money, Region, Request

router = APIRouter(prefix="/v1/statistics", tags=["statistics"])


class StatusCounts(Answer):
    registered: int
    online: int
    degraded: int
    tampered: int
    offline: int
    unknown: int


class KindStatistics(Answer):
    kind: CameraKind | None
    counts: StatusCounts | None


class FunctionStatistics(Answer):
    function: AiFunction | None
    counts: StatusCounts | None


class SiteCategoryStatistics(Answer):
    site_category: SiteCategory | None
    counts: StatusCounts | None


class RegionStatistics(Answer):
    region: str
    registered: int
    connected: int
    with_ai: int
    online: int
    offline: int
    unknown: int
    degraded: int
    tampered: int
    kinds: list[KindStatistics]
    functions: list[FunctionStatistics]
    site_categories: list[SiteCategoryStatistics]


class CameraStatistics(Answer):
    total: RegionStatistics | None
    regions: list[RegionStatistics]


class Revenue(Answer):
    day: str
    region: str
    issued_count: int
    issued: Money | None
    paid_count: int
    collected: Money | None
    discounts: Money | None
    refunded: Money | None


class RevenueFigures(Answer):
    total: Revenue | None
    rows: list[Revenue]
    imbalance_minor: int


class CameraStatisticsQuery(Request):
    region: Region = ""


class RevenueQuery(Request):
    from_day: Day
    until_day: Day
    region: Region = ""


@router.get("/cameras")
async def camera_statistics(
    query: Annotated[CameraStatisticsQuery, Query()], context: AsOperator
) -> CameraStatistics:
    """Numbers of cameras, in total and by region: all that are registered, those connected to a
    control centre, those with AI functions, and those of each status. There are also numbers by
    kind, function and site category. Retired cameras are left out. The cameras are counted at the
    moment of the request."""
    request = query.message(cameras_pb2.GetStatisticsRequest)
    return CameraStatistics.of(await context.call(context.peers.cameras.GetStatistics, request))


@router.get("/revenue")
async def revenue(query: Annotated[RevenueQuery, Query()], context: AsOperator) -> RevenueFigures:
    """Revenue from fines by region and day, and in total: the sums that were issued, collected,
    discounted and refunded. Role finance."""
    request = query.message(fines_pb2.GetRevenueRequest)
    return RevenueFigures.of(await context.call(context.peers.fines.GetRevenue, request))
