"""`tartip hubs`: registers, lists and revokes hubs. A hub is a control centre or an edge box that
reports which of its cameras work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings

if TYPE_CHECKING:
    from tartip.cameras.v1 import hubs_pb2 as pb

_TIMEOUT_SECONDS = 10
_ID_WIDTH = 36
HubId = Annotated[str, typer.Argument(help="The hub's id, as `tartip hubs list` shows it.")]


def register(app: App) -> None:
    group = typer.Typer(
        help="Hubs: control centres and edge boxes that report on cameras.", no_args_is_help=True
    )
    group.command(name="list")(list_hubs)
    for command in (add, revoke, report):
        group.command()(command)
    app.add_typer(group, name="hubs")


def add(
    name: Annotated[str, typer.Argument(help="What people call the hub.")],
    region: Annotated[str, typer.Option(help='The region of its cameras, such as "KZ-75".')],
    public_key: Annotated[
        Path | None, typer.Option(help="The hub's Ed25519 public key, a PEM file.")
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Make a key pair, and write the private key to this file.")
    ] = None,
    edge_box: Annotated[
        bool, typer.Option("--edge-box", help="An edge box, not a control centre.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register a hub with its public key. The hub must sign its reports with the private key.

    To assign a camera to the hub, set the camera's `hub_id` to the hub's id
    (`tartip cameras import`).
    """
    from chassis.clock import new_id
    from tartip.cameras.v1 import hubs_pb2 as pb

    from tartip_cli.clients.hub_reports import make_key, read_public_key

    if (public_key is None) == (new_key is None):
        raise Failure("give either --public-key or --new-key", Exit.USAGE)
    key = read_public_key(public_key) if public_key else make_key(new_key or Path())
    kind = pb.HUB_KIND_EDGE_BOX if edge_box else pb.HUB_KIND_CONTROL_CENTRE
    request = pb.RegisterHubRequest(
        hub_id=str(new_id()), name=name, region=region, kind=kind, public_key=key
    )
    hub = asyncio.run(_ask("RegisterHub", request)).hub
    if as_json:
        print_json(_shape(hub))
    else:
        console.print(f"hub {hub.hub_id}: {name}, {region}")


def list_hubs(
    region: Annotated[str, typer.Option(help="Only hubs of this region.")] = "",
    silent: Annotated[
        bool, typer.Option("--silent", help="Only hubs with an open incident.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List hubs, each with the time of its last report, and whether it is silent or revoked."""
    found = asyncio.run(_all(region, silent))
    if as_json:
        print_json({"hubs": [_shape(hub) for hub in found]})
    elif found:
        console.print(_table(found))
    elif silent:
        console.print(hint("No hub is silent."))
    else:
        console.print(hint("No hub: `tartip hubs add NAME --region … --new-key FILE` adds one."))


def revoke(
    hub_id: HubId,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the audit log.")],
    as_json: AsJson = False,
) -> None:
    """Revoke a hub permanently: its reports are ignored, and its cameras get the status
    "unknown"."""
    from tartip.cameras.v1 import hubs_pb2 as pb

    request = pb.RevokeHubRequest(hub_id=hub_id, reason=reason)
    hub = asyncio.run(_ask("RevokeHub", request)).hub
    if as_json:
        print_json(_shape(hub))
    else:
        console.print(f"hub {hub.hub_id} is revoked")


def report(
    hub_id: HubId,
    key: Annotated[Path, typer.Option(help="The hub's private key, a PEM file.")],
    every: Annotated[
        int, typer.Option(help="Go on every so many seconds until Ctrl-C; 0: report once.", min=0)
    ] = 0,
) -> None:
    """Send a report, signed as the hub, that all cameras of the hub work. The command is for tests
    and drills."""
    from chassis.clock import parse_id

    from tartip_cli.clients.hub_reports import ReportingHub, read_private_key

    known = parse_id(hub_id)
    if known is None:
        raise Failure(f"{hub_id} is no id of a hub: `tartip hubs list` shows them", Exit.USAGE)
    hub = ReportingHub(known, read_private_key(key))
    asyncio.run(_report(hub, every))


async def _report(hub: Any, every: int) -> None:
    from chassis.clock import system_clock
    from tartip.cameras.v1.events_pb2 import CAMERA_CONDITION_WORKING

    from tartip_cli.clients.hub_reports import cameras_of, publisher
    from tartip_cli.clients.partner import outside

    settings = read_settings()
    async with outside(settings) as mesh, publisher(mesh) as nats:
        while True:
            cameras = await cameras_of(mesh, hub.hub_id)
            conditions = dict.fromkeys(cameras, CAMERA_CONDITION_WORKING)
            await nats.publish(hub.subject, hub.report(conditions, system_clock()))
            await nats.flush()
            console.print(f"reported on {len(cameras)} cameras")
            if not every:
                return
            await asyncio.sleep(every)


@asynccontextmanager
async def _stub() -> AsyncIterator[Any]:
    from tartip.cameras.v1 import hubs_pb2_grpc

    from tartip_cli.cli.client import service_stub
    from tartip_cli.topology import CAMERA_REGISTRY

    async with service_stub(read_settings(), hubs_pb2_grpc.CameraHubsStub, CAMERA_REGISTRY) as stub:
        yield stub


async def _ask(method: str, request: Any) -> Any:
    async with _stub() as stub:
        return await getattr(stub, method)(request, timeout=_TIMEOUT_SECONDS)


async def _all(region: str, silent: bool) -> list[pb.Hub]:
    from tartip.cameras.v1 import hubs_pb2 as pb

    found: list[pb.Hub] = []
    request = pb.ListHubsRequest(region=region, silent=silent)
    async with _stub() as stub:
        while True:
            answer = await stub.ListHubs(request, timeout=_TIMEOUT_SECONDS)
            found += answer.hubs
            if not answer.next_page_token:
                return found
            request.page.token = answer.next_page_token


def _shape(hub: pb.Hub) -> dict[str, object]:
    from google.protobuf.json_format import MessageToDict

    shape: dict[str, object] = MessageToDict(hub, preserving_proto_field_name=True)
    return shape


def _table(found: list[pb.Hub]) -> Table:
    # Ids are given to other commands, so each stands whole in its line, however narrow the screen.
    table = Table(Column("hub", no_wrap=True, min_width=_ID_WIDTH), "name, region", "last heard")
    for hub in found:
        table.add_row(hub.hub_id, f"{hub.name}, {hub.region}", _heard(hub))
    return table


def _heard(hub: pb.Hub) -> str:
    """When a hub was last heard, and what is to be known of its silence."""
    heard = f"{hub.heard_at.ToDatetime():%m-%d %H:%M:%S}" if hub.HasField("heard_at") else "never"
    if hub.HasField("revoked_at"):
        return f"{heard}, revoked"
    if hub.HasField("incident"):
        return f"{heard}, silent: {hub.incident.cameras} cameras"
    return heard
