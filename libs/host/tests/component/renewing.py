"""A server and the files of its certificates and of its clients', which tests renew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.authorities import Authorities
from chassis.channels import Channels
from chassis.identity import TokenVerifier, allow
from cryptography import x509
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
        report = reports_pb2.Report(report_id=serial(context.auth_context()["x509_pem_cert"][0]))
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


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Place]:
    held = Certificates(folder)
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
    return str(answer.report.report_id)
