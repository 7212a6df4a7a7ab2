"""What stands between partners and a sandbox, on the shared mesh: faults that happen when a word
or the control asks for them, and a desk that is told what to do."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
import pytest_asyncio
from chassis.channels import Channels
from chassis.clock import system_clock, to_timestamp
from tartip.common.v1.common_pb2 import Place
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1 import reports_pb2_grpc
from tartip_cli.clients.partner import Outside
from tartip_cli.sandbox.dispatcher import Dispatcher
from tartip_cli.sandbox.faults import Faults
from tartip_cli.sandbox.front import Front
from tartip_partner import AsyncReportsClient, Identity, NoAnswer, Refused, Retries, new_id
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh
RETRIES = Retries(call_seconds=10.0, first_pause_seconds=0.05)
BRIEF = Retries(call_seconds=5.0, total_seconds=5.0)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest_asyncio.fixture
async def address(mesh: RunningTestMesh, faults: Faults) -> AsyncIterator[str]:
    """Where the front listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = f"127.0.0.1:{probe.getsockname()[1]}"
    front = Front(free, mesh.address("citizen-reports"), mesh.certificates, faults)
    async with front.serving():
        yield free


@pytest.fixture
def identity(mesh: RunningTestMesh) -> Identity:
    pair = mesh.certificates.partner("halyk")
    return Identity(ca=mesh.certificates.authority, certificate=pair.certificate, key=pair.key)


def draft(text: str) -> pb.OpenReportRequest:
    return pb.OpenReportRequest(
        report_id=new_id(),
        category=pb.CATEGORY_INCIDENT,
        place=Place(latitude=43.2389, longitude=76.9286, region="KZ-75"),
        occurred_at=to_timestamp(system_clock() - timedelta(minutes=2)),
        text=text,
        language="en",
    )


async def test_an_answer_that_is_lost_and_a_refusal_are_repeated_and_count_once(
    address: str, identity: Identity
) -> None:
    async with AsyncReportsClient(address, identity, retries=RETRIES) as tartip:
        for word in ("answer_lost", "overloaded", "storage_away", "share_exceeded"):
            report = draft(f"A lamp lies there. sandbox:manual sandbox:{word}")
            receipt = await tartip.hand_in(report)
            assert (await tartip.get(number=receipt.number)).report_id == report.report_id


async def test_a_refusal_of_the_sandbox_looks_like_the_services_own(
    mesh: RunningTestMesh, address: str, identity: Identity, faults: Faults
) -> None:
    faults.order("halyk", "share_exceeded", 1000)
    async with AsyncReportsClient(address, identity, retries=BRIEF) as tartip:
        with pytest.raises(NoAnswer) as caught:
            await tartip.get(report_id=new_id())
        refused = caught.value.last
        assert isinstance(refused, Refused)
        assert refused.reason == "SHARE_EXCEEDED" and refused.retry_after == 1.0
        assert all(refused.texts[language] for language in ("kk", "ru", "en"))
        faults.order("halyk", "share_exceeded", 0)
        with pytest.raises(Refused) as of_service:
            await tartip.get(report_id=new_id())
    assert of_service.value.reason == "REPORT_NOT_FOUND"
    assert of_service.value.status is grpc.StatusCode.NOT_FOUND


async def test_a_stream_that_breaks_is_resumed_and_lists_are_passed_on(
    mesh: RunningTestMesh, address: str, identity: Identity
) -> None:
    async with AsyncReportsClient(address, identity, retries=RETRIES) as tartip:
        report = draft("A lamp lies there. sandbox:manual sandbox:stream_broken")
        await tartip.hand_in(report)
        seen = []
        async for change in tartip.watch("0"):
            if change.report_id == report.report_id:
                seen.append(change.status)
            if seen[-1:] == [pb.REPORT_STATUS_ROUTED]:
                break
    assert seen == [pb.REPORT_STATUS_REGISTERED, pb.REPORT_STATUS_ROUTED]
    pair = mesh.certificates.partner("halyk")
    channels = Channels(cert=pair.certificate, key=pair.key, ca=mesh.certificates.authority)
    stub = reports_pb2_grpc.CitizenReportsStub(channels.to(address, "citizen-reports"))
    assert (await stub.ListReports(pb.ListReportsRequest(), timeout=10)).reports
    await channels.close()


async def test_the_desk_does_what_it_is_told_with_reports_of_any_region(
    outside: Outside, address: str, identity: Identity
) -> None:
    told: list[str] = []
    desk = Dispatcher(outside, told.append)
    async with AsyncReportsClient(address, identity, retries=RETRIES) as tartip:
        report = draft("A lamp lies there. sandbox:manual")
        report.place.CopyFrom(Place(latitude=51.1282, longitude=71.4304, region="KZ-71"))
        await tartip.hand_in(report)
        for step in ("take", "extend", "ask"):
            await desk.act(report.report_id, step, {})
        await tartip.reply(report.report_id, "At house 44.")
        await desk.act(report.report_id, "answer", {"outcome": "not_confirmed"})
        found = await tartip.get(report_id=report.report_id)
    assert found.status == pb.REPORT_STATUS_ANSWERED and found.HasField("extended_at")
    assert found.closing_outcome == "not_confirmed"
    assert [line.partition(": ")[2].partition(" ")[0] for line in told] == [
        "take",
        "extend",
        "ask",
        "answer",
    ]
