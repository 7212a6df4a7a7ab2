"""CameraHubs over gRPC: converts messages for the use cases, and states who may call each
method."""

from uuid import UUID

from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.fields import check_text, enum_of, read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import Checks, PageTokenWrong, checks
from grpc.aio import ServicerContext
from law.regions import REGIONS
from tartip.cameras.v1 import hubs_pb2 as pb
from tartip.cameras.v1 import hubs_pb2_grpc

from camera_registry.messages import check_region
from camera_registry.model.camera import check_reason
from camera_registry.model.hubs import (
    KEY_BYTES,
    NAME_MAX,
    Hub,
    HubKind,
    HubNotFound,
    Incident,
    is_key,
)
from camera_registry.usecases.hubs import Hubs, NewHub

_SERVICE = "/tartip.cameras.v1.CameraHubs/"
# The command line registers hubs.
_WRITERS = allow(services=("tartip-cli",), roles=("camera_administrator",))
POLICY: Policy = {
    _SERVICE + "RegisterHub": _WRITERS,
    _SERVICE + "RevokeHub": _WRITERS,
    _SERVICE + "ListHubs": allow(
        services=_WRITERS.services, roles=(*_WRITERS.roles, "dispatcher", "supervisor", "auditor")
    ),
}


class CameraHubsApi(hubs_pb2_grpc.CameraHubsServicer):
    def __init__(self, hubs: Hubs, pages: Pages) -> None:
        self._hubs = hubs
        self._pages = pages

    async def RegisterHub(
        self, request: pb.RegisterHubRequest, context: ServicerContext
    ) -> pb.RegisterHubResponse:
        with checks() as check:
            given = _read_hub(check, request)
        telemetry.annotate(hub=str(given.hub_id))
        content = request.SerializeToString(deterministic=True)
        hub = await self._hubs.register(given, content=content, caller=current_caller())
        return pb.RegisterHubResponse(hub=_to_proto(hub))

    async def RevokeHub(
        self, request: pb.RevokeHubRequest, context: ServicerContext
    ) -> pb.RevokeHubResponse:
        with checks() as check:
            check_reason(check, request.reason)
        hub_id = parse_id(request.hub_id)
        if hub_id is None:
            raise HubNotFound
        telemetry.annotate(hub=request.hub_id)
        hub = await self._hubs.revoke(hub_id, reason=request.reason, caller=current_caller())
        return pb.RevokeHubResponse(hub=_to_proto(hub))

    async def ListHubs(
        self, request: pb.ListHubsRequest, context: ServicerContext
    ) -> pb.ListHubsResponse:
        with checks() as check:
            check_region(check, request.region)
        page = self._pages.read(request, current_caller())
        found = await self._hubs.page(
            request.region,
            is_silent=request.silent,
            after=_read_key(page.spec.after),
            size=page.spec.size,
            caller=current_caller(),
        )
        return pb.ListHubsResponse(
            hubs=map(_to_proto, found),
            next_page_token=page.next_token([(str(hub.hub_id),) for hub in found]),
        )


def _read_hub(check: Checks, request: pb.RegisterHubRequest) -> NewHub:
    hub_id = read_new_id(check, "hub_id", request.hub_id)
    check_text(check, "name", request.name, longest=NAME_MAX, required=True)
    check.that(request.region in REGIONS, "region", "an ISO 3166-2 code of Kazakhstan")
    kind = enum_of(HubKind, pb.HubKind, request.kind)
    check.that(kind is not None, "kind", "one of the kinds of hub")
    expected = f"an Ed25519 public key of {KEY_BYTES} bytes"
    check.that(is_key(request.public_key), "public_key", expected)
    kind = kind or HubKind.EDGE_BOX
    return NewHub(hub_id, request.name, request.region, kind, request.public_key)


def _read_key(key: tuple[str, ...]) -> UUID | None:
    """The hub id in a page token, None for the first page. Raises PageTokenWrong."""
    if not key:
        return None
    hub_id = parse_id(key[0])
    if hub_id is None:
        raise PageTokenWrong
    return hub_id


def _to_proto(hub: Hub) -> pb.Hub:
    return pb.Hub(
        hub_id=str(hub.hub_id),
        name=hub.name,
        region=hub.region,
        kind=pb.HubKind.Value(f"HUB_KIND_{hub.kind}"),
        public_key=hub.public_key,
        registered_at=to_timestamp(hub.registered_at),
        revoked_at=to_timestamp(hub.revoked_at),
        heard_at=to_timestamp(hub.heard_at),
        incident=_incident_to_proto(hub.incident) if hub.incident else None,
    )


def _incident_to_proto(incident: Incident) -> pb.HubIncident:
    return pb.HubIncident(
        incident_id=str(incident.incident_id),
        silent_since=to_timestamp(incident.silent_since),
        opened_at=to_timestamp(incident.opened_at),
        cameras=incident.cameras,
        times=incident.times,
    )
