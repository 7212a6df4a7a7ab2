"""The rules by which reports are routed: drafted, tried, replayed on last week and made active."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from tartip.reports.v1 import routing_pb2

from operator_gateway.operator_context import AsOperator
from operator_gateway.reports_routes import Category
from operator_gateway.schemas import Answer, ClientMadeId, Instant, Listing, Moment, Region, Request

router = APIRouter(prefix="/v1/routing", tags=["routing"])

SecrecyClass = Literal["open", "personal", "protected", "sealed"]
RuleDays = Literal["working", "off"]
Texts = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100)]
Hour = Annotated[int, Field(ge=0, le=24)]
Version = Annotated[int, Field(ge=0, le=2**63 - 1)]


class RoutingRule(Answer):
    name: str
    categories: list[Category]
    classes: list[SecrecyClass]
    regions: list[str]
    districts: list[str]
    languages: list[str]
    from_hour: int
    until_hour: int
    days: RuleDays | None = Field(description="Null means all days.")
    desk: str
    unit: str


class RoutingVersion(Answer):
    version: int = Field(description="0 is the table that Tartip comes with.")
    rules: list[RoutingRule] = Field(description="As they are tried; left out in lists.")
    default_desk: str
    note: str
    drafted_at: Moment
    replayed_at: Moment
    active_from: Moment
    active: bool


class RoutingAnswer(Answer):
    routing: RoutingVersion | None


class RoutingPage(Answer):
    routings: list[RoutingVersion]
    next_page_token: str


class PassedRule(Answer):
    name: str
    conditions: list[str] = Field(description="Those that the report does not fit.")


class DryRun(Answer):
    version: int
    unit: str
    rule: str
    region: str
    passed: list[PassedRule]


class MovedReports(Answer):
    from_unit: str
    to_unit: str
    count: int
    numbers: list[str] = Field(description="Told to the command line alone.")


class Replay(Answer):
    since: Moment
    replayed: int
    moved: int
    moves: list[MovedReports]


class RoutingRuleRequest(Request):
    name: str = Field(max_length=64)
    categories: list[Category] = Field(default_factory=list, max_length=20)
    classes: list[SecrecyClass] = Field(default_factory=list, max_length=4)
    regions: Texts = Field(default_factory=list)
    districts: Texts = Field(default_factory=list)
    languages: Texts = Field(default_factory=list)
    from_hour: Hour = 0
    until_hour: Hour = 0
    days: RuleDays | None = None
    desk: str = Field("", max_length=64)
    unit: str = Field("", max_length=64)


class DraftRouting(Request):
    request_id: ClientMadeId
    rules: list[RoutingRuleRequest] = Field(max_length=200)
    default_desk: str = Field(max_length=64)
    note: str = Field("", max_length=500)
    validate_only: bool = Field(False, description="Only name what is wrong; store nothing.")


class DryRunPlace(Request):
    latitude: float = 0.0
    longitude: float = 0.0
    region: Region = ""
    kato: str = Field("", max_length=9)


class DryRunRouting(Request):
    version: Version | None = Field(None, description="Null for the active one.")
    category: Category
    place: DryRunPlace
    language: str = Field(max_length=2, examples=["kk"])
    at: Instant | None = Field(None, description="Null means now.")


class ActivateRouting(Request):
    request_id: ClientMadeId
    active_from: Instant | None = Field(None, description="Null means now.")


class RoutingQuery(Request):
    version: Version | None = Field(None, description="Null for the active one.")


@router.get("")
async def get_routing(
    query: Annotated[RoutingQuery, Query()], context: AsOperator
) -> RoutingAnswer:
    """The rules of a version, in the order in which they are tried."""
    request = query.message(routing_pb2.GetRoutingRequest)
    return RoutingAnswer.of(await context.call(context.peers.routing.GetRouting, request))


@router.get("/versions")
async def list_routings(listing: Annotated[Listing, Query()], context: AsOperator) -> RoutingPage:
    """All versions without their rules, the newest first."""
    request = listing.message(routing_pb2.ListRoutingsRequest)
    return RoutingPage.of(await context.call(context.peers.routing.ListRoutings, request))


@router.post("/versions")
async def draft_routing(body: DraftRouting, context: AsOperator) -> RoutingAnswer:
    """Stores rules as a new draft, or names everything that is wrong with them."""
    request = body.message(routing_pb2.DraftRoutingRequest)
    return RoutingAnswer.of(await context.call(context.peers.routing.DraftRouting, request))


@router.post("/dry-run")
async def dry_run_routing(body: DryRunRouting, context: AsOperator) -> DryRun:
    """The unit that a report with these facts would go to, the rule that takes it, and why each
    rule before it does not."""
    request = body.message(routing_pb2.DryRunRoutingRequest)
    return DryRun.of(await context.call(context.peers.routing.DryRunRouting, request))


@router.post("/versions/{version}/replay")
async def replay_routing(version: Version, context: AsOperator) -> Replay:
    """The reports of the last seven days that would have gone to another unit."""
    request = routing_pb2.ReplayRoutingRequest(version=version)
    return Replay.of(await context.call(context.peers.routing.ReplayRouting, request))


@router.post("/versions/{version}/activate")
async def activate_routing(
    version: Version, body: ActivateRouting, context: AsOperator
) -> RoutingAnswer:
    """Makes a version active from a moment on. It must have been replayed before."""
    request = body.message(routing_pb2.ActivateRoutingRequest, version=version)
    return RoutingAnswer.of(await context.call(context.peers.routing.ActivateRouting, request))
