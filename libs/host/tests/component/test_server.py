"""The server over mutual TLS: shares on the wire, and what becomes of clients that are gone."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from chassis.authorities import Authorities
from chassis.channels import peers_refusals
from chassis.grpc_status import DETAILS_KEY
from chassis.identity import TokenVerifier, allow
from chassis.refusals import Refusal
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from host.gate import Gate
from host.server import MESSAGE_BYTES_MAX, GrpcServer
from host.shares import Quota, Shares
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

SERVICE = reports_pb2.DESCRIPTOR.services_by_name["CitizenReports"]
QUOTA = Quota(calls=3, calls_per_second=50, streams=2, bytes_per_second=100_000, urgent_calls=1)
KEEPALIVE_SECONDS = 1.0
GONE_SECONDS = 30.0
DEADLINE_SECONDS = 10.0
# A client of its own process: it opens the stream and does nothing more.
WATCHES = """
import sys, grpc
from pathlib import Path
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc
address, *files = sys.argv[1:]
credentials = grpc.ssl_channel_credentials(*(Path(file).read_bytes() for file in files))
channel = grpc.secure_channel(address, credentials)
for _ in reports_pb2_grpc.CitizenReportsStub(channel).WatchReports(
    reports_pb2.WatchReportsRequest(resume_token="0")
):
    pass
"""


@dataclass
class Slow(reports_pb2_grpc.CitizenReportsServicer):
    """GetReport and OpenReport wait until they may answer; WatchReports never ends."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    streams: int = 0

    async def GetReport(self, request: Any, context: Any) -> reports_pb2.GetReportResponse:
        await self._wait()
        return reports_pb2.GetReportResponse()

    async def OpenReport(self, request: Any, context: Any) -> reports_pb2.OpenReportResponse:
        await self._wait()
        return reports_pb2.OpenReportResponse()

    async def PutMedia(self, request: Any, context: Any) -> reports_pb2.PutMediaResponse:
        return reports_pb2.PutMediaResponse()

    async def WatchReports(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.streams += 1
        try:
            await asyncio.Event().wait()
            yield reports_pb2.WatchReportsResponse()
        finally:
            self.streams -= 1

    async def _wait(self) -> None:
        self.calls += 1
        try:
            await self.may_answer.wait()
        finally:
            self.calls -= 1


@dataclass
class Place:
    """A server with its servicer, and clients of it."""

    address: str
    certificates: Any
    slow: Slow

    def files(self, partner: str) -> tuple[Path, Path, Path]:
        pair = self.certificates.partner(partner)
        return self.certificates.authority, pair.key, pair.certificate

    def channel(self, partner: str, *options: tuple[str, int]) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(*(f.read_bytes() for f in self.files(partner)))
        return grpc.aio.secure_channel(self.address, credentials, options=options)

    @asynccontextmanager
    async def client(self, partner: str, *options: tuple[str, int]) -> AsyncIterator[Any]:
        async with self.channel(partner, *options) as channel:
            yield reports_pb2_grpc.CitizenReportsStub(channel)

    def watching_process(self, partner: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-c", WATCHES, self.address, *map(str, self.files(partner))]
        return subprocess.Popen(program)


def is_urgent(request: reports_pb2.OpenReportRequest) -> bool:
    return request.category == reports_pb2.CATEGORY_ROAD_ACCIDENT


@pytest.fixture
async def place(postgres: Any) -> AsyncIterator[Place]:
    policy = {f"/{SERVICE.full_name}/{m.name}": allow(partners=True) for m in SERVICE.methods}
    policy[f"/{SERVICE.full_name}/OpenReport"] = allow(partners=True, urgent=is_urgent)
    pair = postgres.certificates.service("citizen-reports")
    authorities = Authorities.in_folder(postgres.certificates.client_authorities)
    shares = Shares(lambda kind, name: QUOTA)
    address, slow = free_address(), Slow()
    server = GrpcServer(
        address,
        Gate(policy, TokenVerifier("http://127.0.0.1:9"), authorities, shares),
        cert=pair.certificate,
        key=pair.key,
        keepalive_seconds=KEEPALIVE_SECONDS,
    )
    reports_pb2_grpc.add_CitizenReportsServicer_to_server(slow, server.server)
    await server.start((SERVICE.full_name,))
    yield Place(address, postgres.certificates, slow)
    await server.stop(0)


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def until(holds: Callable[[], bool], *, seconds: float = GONE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not so in time"
        await asyncio.sleep(0.05)


async def refusal_of(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(Refusal) as found, peers_refusals():
        await call
    return found.value


def status_of(error: grpc.aio.AioRpcError) -> Any:
    """The details of an error; None where gRPC itself made it."""
    trailer: Any = error.trailing_metadata() or ()
    found = next((value for key, value in trailer if key == DETAILS_KEY), None)
    return found and status_pb2.Status.FromString(found)


def looking_up(stub: Any) -> Any:
    return stub.GetReport(reports_pb2.GetReportRequest(number="x"), timeout=DEADLINE_SECONDS)


async def test_calls_at_once_are_refused_with_limit_and_delay_and_neighbours_served(
    place: Place,
) -> None:
    async with place.client("kaspi") as kaspi, place.client("halyk") as halyk:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(_answer(looking_up(kaspi))) for _ in range(QUOTA.calls)]
            await until(lambda: place.slow.calls == QUOTA.calls)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await looking_up(kaspi)
            neighbour = group.create_task(_answer(looking_up(halyk)))
            await until(lambda: place.slow.calls == QUOTA.calls + 1)
            place.slow.may_answer.set()
        assert all(task.result() for task in (*running, neighbour))
        assert await looking_up(kaspi)  # the places are free again
    status = status_of(refused.value)
    assert status is not None
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(retry)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (info.reason, info.domain) == ("SHARE_EXCEEDED", "tartip")
    assert dict(info.metadata) == {"limit": "calls", "limit_value": "3"}
    assert retry.retry_delay.ToMilliseconds() == 500


async def test_an_urgent_request_gets_in_beside_those_that_wait(place: Place) -> None:
    urgent = reports_pb2.OpenReportRequest(category=reports_pb2.CATEGORY_ROAD_ACCIDENT)
    usual = reports_pb2.OpenReportRequest(category=reports_pb2.CATEGORY_OTHER)
    async with place.client("kaspi") as kaspi, asyncio.TaskGroup() as group:
        for _ in range(QUOTA.calls):
            group.create_task(_answer(looking_up(kaspi)))
        await until(lambda: place.slow.calls == QUOTA.calls)
        refused = await refusal_of(kaspi.OpenReport(usual, timeout=DEADLINE_SECONDS))
        assert refused.reason == "SHARE_EXCEEDED"
        taken = group.create_task(_answer(kaspi.OpenReport(urgent, timeout=DEADLINE_SECONDS)))
        await until(lambda: place.slow.calls == QUOTA.calls + 1)
        more = await refusal_of(kaspi.OpenReport(urgent, timeout=DEADLINE_SECONDS))
        assert more.facts["limit"] == "urgent_calls"
        place.slow.may_answer.set()
    assert taken.done()


async def test_health_is_for_everybody_within_their_share(place: Place) -> None:
    request = health_pb2.HealthCheckRequest()
    async with place.channel("kaspi") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(request)).status == health_pb2.HealthCheckResponse.SERVING
        watching = [health.Watch(request) for _ in range(QUOTA.streams)]
        for stream in watching:
            await stream.read()
        refused = await refusal_of(_first(health.Watch(request)))
        assert refused.facts["limit"] == "streams"
        for stream in watching:
            stream.cancel()


async def test_the_bytes_of_requests_are_counted(place: Place) -> None:
    async with place.client("kaspi") as kaspi, place.client("halyk") as halyk:
        piece = reports_pb2.PutMediaRequest(content=bytes(5 * QUOTA.bytes_per_second))
        assert await kaspi.PutMedia(piece, timeout=DEADLINE_SECONDS) is not None
        refused = await refusal_of(kaspi.PutMedia(piece, timeout=DEADLINE_SECONDS))
        assert refused.facts == {"limit": "bytes_per_second", "limit_value": "100000"}
        assert refused.retry_seconds
        assert await halyk.PutMedia(piece, timeout=DEADLINE_SECONDS) is not None


async def test_a_message_beyond_all_bounds_has_no_name(place: Place) -> None:
    """What the guide for partners says: gRPC itself refuses it, without details."""
    async with place.client("kaspi") as kaspi:
        piece = reports_pb2.PutMediaRequest(content=bytes(MESSAGE_BYTES_MAX + 1))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await kaspi.PutMedia(piece, timeout=DEADLINE_SECONDS)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status_of(refused.value) is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_a_client_that_is_gone_frees_its_streams(place: Place, number: int) -> None:
    clients = [place.watching_process("kaspi") for _ in range(QUOTA.streams)]
    try:
        await until(lambda: place.slow.streams == QUOTA.streams)
        async with place.client("kaspi") as kaspi:
            refused = await refusal_of(_first(kaspi.WatchReports(_watch())))
            assert refused.facts == {"limit": "streams", "limit_value": "2"}
            for client in clients:
                os.kill(client.pid, number)
            await until(lambda: place.slow.streams == 0)
            again = kaspi.WatchReports(_watch())
            reading = asyncio.ensure_future(_first(again))
            await until(lambda: place.slow.streams == 1)
            again.cancel()
            await asyncio.wait([reading])
    finally:
        for client in clients:
            client.kill()
            client.wait()


async def test_a_client_that_pings_often_is_not_sent_away(place: Place) -> None:
    """More pings than gRPC's own default bears, which ends the connection at the third."""
    options = (
        ("grpc.keepalive_time_ms", 1_200),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    )
    async with place.client("kaspi", *options) as kaspi:
        stream = kaspi.WatchReports(_watch())
        reading = asyncio.ensure_future(_first(stream))
        done, _ = await asyncio.wait([reading], timeout=10)
        assert not done, reading.exception()
        assert place.slow.streams == 1
        stream.cancel()
        await asyncio.wait([reading])


async def test_tools_find_the_methods_by_both_names_of_reflection(place: Place) -> None:
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    async with place.channel("kaspi") as channel:
        for version in ("v1", "v1alpha"):
            ask = channel.stream_stream(
                f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                reflection_pb2.ServerReflectionRequest.SerializeToString,
                reflection_pb2.ServerReflectionResponse.FromString,
            )
            [answer] = [each async for each in ask(iter([asked]), timeout=DEADLINE_SECONDS)]
            names = {service.name for service in answer.list_services_response.service}
            assert SERVICE.full_name in names


def _watch() -> reports_pb2.WatchReportsRequest:
    return reports_pb2.WatchReportsRequest(resume_token="0")


async def _first(stream: Any) -> Any:
    async for message in stream:
        return message


async def _answer(call: Awaitable[Any]) -> bool:
    await call
    return True
