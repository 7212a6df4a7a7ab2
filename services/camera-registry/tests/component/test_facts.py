"""What others learn of cameras: events on the stream, statuses by reports, the audit log."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from audit_log import merkle
from audit_log.heads import head_text
from chassis.clock import from_timestamp
from chassis.purpose import purpose_metadata
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nats.aio.msg import Msg
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import events_pb2, hubs_pb2
from tartip_cli.clients.hub_reports import ReportingHub
from tartip_testing.bounds import CALL_SECONDS
from tartip_testing.mesh import RunningTestMesh

As = Callable[..., Any]
Register = Callable[..., Awaitable[pb.Camera]]


async def facts_about(engines: RunningTestMesh, camera_id: str, *, at_least: int) -> list[Msg]:
    """Messages of the stream CAMERAS about one camera, in order."""
    client = await engines.nats_client("provisioner")
    try:
        async with asyncio.timeout(60):
            while True:
                found = await _all_messages(client, camera_id)
                if len(found) >= at_least:
                    return found
                await asyncio.sleep(0.1)
    finally:
        await client.close()


async def _all_messages(client: Any, camera_id: str) -> list[Msg]:
    jetstream = client.jetstream()
    last = (await jetstream.stream_info("CAMERAS")).state.last_seq
    found = []
    for sequence in range(1, last + 1):
        msg = await jetstream.get_msg("CAMERAS", sequence)
        if (msg.headers or {}).get("tartip-aggregate") == camera_id:
            found.append(msg)
    return found


async def test_each_change_is_published_once_with_its_headers(
    engines: RunningTestMesh, administrator: Any, register: Register
) -> None:
    camera = await register()
    await register(camera.description, camera.camera_id)
    retire = pb.RetireCameraRequest(camera_id=camera.camera_id)
    await administrator.call("RetireCamera", retire)
    messages = await facts_about(engines, camera.camera_id, at_least=2)
    assert [msg.subject for msg in messages] == ["cameras.v1.registered", "cameras.v1.retired"]
    headers = messages[0].headers or {}
    assert headers["ce-type"] == "cameras.v1.registered"
    assert headers["ce-id"] == headers["Nats-Msg-Id"]
    assert headers["tartip-region"] == "KZ-75" and headers["tartip-version"] == "1"
    assert headers["tartip-story"] in headers["traceparent"]
    event = events_pb2.CameraRegistered.FromString(messages[0].data or b"")
    assert event.camera_id == camera.camera_id
    assert event.registered_at == camera.registered_at


async def until(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if holds(await ask()):
                return
            await asyncio.sleep(0.1)


async def status_of(administrator: Any, camera_id: str) -> tuple[int, datetime]:
    answer = await administrator.call("GetCamera", pb.GetCameraRequest(camera_id=camera_id))
    return answer.camera.status, from_timestamp(answer.camera.status_as_of)


async def test_a_report_brings_a_camera_online_and_only_a_change_is_a_fact(
    engines: RunningTestMesh, administrator: Any, register: Register, describe: Any
) -> None:
    hub = ReportingHub()
    request = hubs_pb2.RegisterHubRequest(
        hub_id=str(hub.hub_id),
        name="Control centre",
        region="KZ-75",
        kind=hubs_pb2.HUB_KIND_CONTROL_CENTRE,
        public_key=hub.public_key,
    )
    await administrator.hub("RegisterHub", request)
    camera = await register(describe(hub_id=str(hub.hub_id)))
    stranger = ReportingHub(hub_id=hub.hub_id)  # with another key
    client = await engines.nats_client("edge-1")

    async def report() -> datetime:
        sent_at = datetime.now(UTC)
        conditions = {UUID(camera.camera_id): events_pb2.CAMERA_CONDITION_WORKING}
        for message in (
            b"\xff no report",
            stranger.report({UUID(camera.camera_id): 3}, sent_at),
            hub.report(conditions, sent_at),
        ):
            await client.publish(hub.subject, message)
        await client.flush()
        await asyncio.sleep(0.2)
        return sent_at

    async with asyncio.timeout(60):
        while (await status_of(administrator, camera.camera_id))[0] != pb.CAMERA_STATUS_ONLINE:
            await report()
    later = await report()
    await until(lambda: status_of(administrator, camera.camera_id), lambda found: found[1] == later)
    await client.close()
    assert [msg.subject for msg in await facts_about(engines, camera.camera_id, at_least=1)] == [
        "cameras.v1.registered"
    ]
    [changed] = await facts_about(engines, f"hub:{hub.hub_id}", at_least=1)
    assert changed.subject == "cameras.v1.status_changed"
    found = await administrator.hub("ListHubs", hubs_pb2.ListHubsRequest(region="KZ-75"))
    [known] = [each for each in found.hubs if each.hub_id == str(hub.hub_id)]
    assert from_timestamp(known.heard_at) == later and not known.HasField("incident")


async def test_a_write_is_audited_and_sealed_under_a_signed_head(
    as_: As, engines: RunningTestMesh, register: Register
) -> None:
    camera = await register()
    caller = as_("tartip-cli")
    audit = audit_pb2_grpc.AuditStub(caller.channels.to(caller.address, "camera-registry"))
    async with asyncio.timeout(60):
        while True:
            entries = await _all_entries(audit)
            mine = [e for e in entries if camera.camera_id.encode() in e.canonical]
            if mine:
                break
            await asyncio.sleep(0.1)
    told = json.loads(mine[0].canonical)
    assert told["action"] == "register" and told["object"] == f"camera:{camera.camera_id}"
    assert told["actor"] == "operator/cameras-1" and told["region"] == "KZ-75"
    head = (await audit.GetHead(audit_pb2.GetHeadRequest(), timeout=CALL_SECONDS)).head
    signed = head_text("camera-registry", head.tree_size, head.root, from_timestamp(head.sealed_at))
    Ed25519PublicKey.from_public_bytes(head.public_key).verify(head.signature, signed)
    request = audit_pb2.ProveInclusionRequest(
        leaf_index=mine[0].leaf_index, tree_size=head.tree_size
    )
    path = (await audit.ProveInclusion(request, timeout=CALL_SECONDS)).path
    leaf = merkle.leaf_hash(mine[0].canonical)
    assert merkle.verify_inclusion(leaf, mine[0].leaf_index, head.tree_size, path, head.root)


async def test_the_reason_for_retiring_is_audited(
    as_: As, administrator: Any, register: Register
) -> None:
    camera = await register()
    retire = pb.RetireCameraRequest(camera_id=camera.camera_id, reason="struck by lightning")
    await administrator.call("RetireCamera", retire)
    caller = as_("tartip-cli")
    audit = audit_pb2_grpc.AuditStub(caller.channels.to(caller.address, "camera-registry"))

    async def retirements() -> list[dict[str, Any]]:
        entries = [json.loads(entry.canonical) for entry in await _all_entries(audit)]
        about = f"camera:{camera.camera_id}"
        return [e["facts"] for e in entries if (e["action"], e["object"]) == ("retire", about)]

    await until(retirements, bool)
    [facts] = await retirements()
    assert facts["reason"] == "struck by lightning" and len(facts["decided"]) == 64


async def _all_entries(audit: Any) -> list[Any]:
    entries: list[Any] = []
    while True:
        request = audit_pb2.ListEntriesRequest(from_index=len(entries))
        answer = await audit.ListEntries(
            request, timeout=CALL_SECONDS, metadata=purpose_metadata("test of the log")
        )
        entries += answer.entries
        if not answer.next_page_token:
            return entries


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM cameras",
        "CREATE TABLE x ()",
        "DELETE FROM audit",
        "UPDATE audit SET canonical = ''",
        "DELETE FROM camera_versions",
        "UPDATE camera_versions SET speed_tolerance_kmh = 0",
    ],
)
async def test_the_service_may_not_delete_nor_change_tables_nor_the_audit_log(
    engines: RunningTestMesh, service: str, statement: str
) -> None:
    connection = await asyncpg.connect(engines.database.runtime_url("camera_registry"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
        assert await connection.fetchval("SELECT count(*) FROM cameras") == 0  # without a scope
    finally:
        await connection.close()
