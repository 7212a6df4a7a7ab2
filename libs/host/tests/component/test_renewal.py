"""Certificates that are renewed while a server and its clients run: no call fails, none waits."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chassis.authorities import Authorities
from chassis.channels import Channels
from chassis.identity import TokenVerifier, allow
from cryptography import x509
from host import certificates
from host.broker import client_tls
from host.channels import RenewingChannels
from host.gate import Gate
from host.server import GrpcServer
from host.shares import Shares
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc
from tartip_cli.provision.certificates import Certificates, KeyPair

from .test_server import free_address

SERVICE = reports_pb2.DESCRIPTOR.services_by_name["CitizenReports"]
SECONDS = 10.0


class Presented(reports_pb2_grpc.CitizenReportsServicer):
    """Answers with the serial number of the caller's certificate; a stream goes on until told."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def GetReport(self, request: Any, context: Any) -> reports_pb2.GetReportResponse:
        report = reports_pb2.Report(number=serial(context.auth_context()["x509_pem_cert"][0]))
        return reports_pb2.GetReportResponse(report=report)

    async def WatchReports(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield reports_pb2.WatchReportsResponse(resume_token="begun")
        await self.may_end.wait()
        yield reports_pb2.WatchReportsResponse(resume_token="ended")


@dataclass
class Place:
    address: str
    certificates: Certificates
    servicer: Presented

    @property
    def server(self) -> KeyPair:
        return self.certificates.service("citizen-reports")

    @property
    def client(self) -> KeyPair:
        return self.certificates.partner("kaspi")

    def renew(self, *pairs: tuple[str, str]) -> None:
        self.certificates.issue(pairs)

    def channels(self, kind: type[Channels]) -> Channels:
        pair, authority = self.client, self.certificates.authority
        return kind(cert=pair.certificate, key=pair.key, ca=authority)


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(certificates, "CHECK_SECONDS", 0.0)
    held = Certificates(tmp_path)
    held.renew()
    policy = {f"/{SERVICE.full_name}/{m.name}": allow(partners=True) for m in SERVICE.methods}
    gate = Gate(
        policy,
        TokenVerifier("http://127.0.0.1:9"),
        Authorities.in_folder(held.client_authorities),
        Shares(),
    )
    pair, address, servicer = held.service("citizen-reports"), free_address(), Presented()
    server = GrpcServer(address, gate, cert=pair.certificate, key=pair.key)
    reports_pb2_grpc.add_CitizenReportsServicer_to_server(servicer, server.server)
    await server.start((SERVICE.full_name,))
    yield Place(address, held, servicer)
    await server.stop(0)


def serial(pem: bytes) -> str:
    return f"{x509.load_pem_x509_certificate(pem).serial_number:x}"


async def presented_by(stub: Any) -> str:
    answer = await stub.GetReport(reports_pb2.GetReportRequest(), timeout=SECONDS)
    return str(answer.report.number)


async def shown_by(place: Place) -> str:
    """The serial number of the certificate that the server shows to a new connection."""
    host, port = place.address.split(":")
    context = client_tls(place.client.certificate, place.client.key, place.certificates.authority)
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return f"{x509.load_der_x509_certificate(shown).serial_number:x}"


async def test_new_connections_are_shown_the_new_certificate_and_old_ones_stand(
    place: Place,
) -> None:
    channels = place.channels(Channels)
    stub = reports_pb2_grpc.CitizenReportsStub(channels.to(place.address, "citizen-reports"))
    before = await presented_by(stub)
    place.renew(("service", "citizen-reports"))
    assert await shown_by(place) == serial(place.server.certificate.read_bytes())
    assert await presented_by(stub) == before
    await channels.close()


async def test_a_damaged_renewal_leaves_the_server_as_it_was(place: Place) -> None:
    before = await shown_by(place)
    place.server.key.write_bytes(b"damaged")
    assert await shown_by(place) == before


async def test_new_calls_present_the_new_certificate_and_open_streams_go_on(place: Place) -> None:
    channels = place.channels(RenewingChannels)
    stub = reports_pb2_grpc.CitizenReportsStub(channels.to(place.address, "citizen-reports"))
    stream = stub.WatchReports(reports_pb2.WatchReportsRequest())
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


async def test_each_connection_to_the_broker_begins_with_the_certificate_of_then(
    place: Place,
) -> None:
    """A listener that asks for certificates, as the broker does, instead of the broker itself."""
    seen: list[str] = []
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=str(place.certificates.client_authorities / "partner.pem")
    )
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(str(place.server.certificate), str(place.server.key))

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        seen.append(f"{x509.load_der_x509_certificate(shown).serial_number:x}")
        writer.close()

    tls = client_tls(place.client.certificate, place.client.key, place.certificates.authority)
    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context) as server:
        port, wanted = server.sockets[0].getsockname()[1], []
        for lost in (False, True):
            place.renew(("partner", "kaspi"))
            wanted.append(serial(place.client.certificate.read_bytes()))
            await connect(port, tls)
            if lost:
                place.client.key.unlink()
                wanted.append(wanted[-1])
                await connect(port, tls)
    assert seen == wanted


async def connect(port: int, tls: ssl.SSLContext) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()
