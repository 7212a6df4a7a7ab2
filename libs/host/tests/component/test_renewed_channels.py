"""The certificate of a client is renewed while it calls: new calls present the new one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from host import certificates
from host.channels import RenewingChannels
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

from .renewing import Place, presented_by, serial, serving


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(certificates, "CHECK_SECONDS", 0.0)
    async with serving(tmp_path) as found:
        yield found


async def test_new_calls_present_the_new_certificate_and_open_streams_go_on(place: Place) -> None:
    channels = place.channels(RenewingChannels)
    stub = reports_pb2_grpc.CitizenReportsStub(channels.to(place.address, "citizen-reports"))
    stream: Any = stub.WatchReports(reports_pb2.WatchReportsRequest())
    assert (await stream.read()).resume_token == "begun"
    for _ in range(2):
        place.renew(("partner", "kaspi"))
        assert await presented_by(stub) == serial(place.client.certificate.read_bytes())
    place.servicer.may_end.set()
    assert [each.resume_token async for each in stream] == ["ended"]
    await channels.close()


async def test_a_replaced_channel_is_closed_with_its_last_call(place: Place) -> None:
    channels = place.channels(RenewingChannels)
    channel: Any = channels.to(place.address, "citizen-reports")
    stub = reports_pb2_grpc.CitizenReportsStub(channel)
    await presented_by(stub)
    stream = stub.WatchReports(reports_pb2.WatchReportsRequest())
    await stream.read()
    place.renew(("partner", "kaspi"))
    await presented_by(stub)
    assert len(channel._replaced) == 1
    place.servicer.may_end.set()
    assert [each async for each in stream]
    await presented_by(stub)
    assert channel._replaced == []
    await channels.close()
