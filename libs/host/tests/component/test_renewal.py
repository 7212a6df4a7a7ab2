"""A certificate that is renewed while a server runs, and while its clients connect."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chassis.channels import Channels
from cryptography import x509
from host import certificates
from host.broker import client_tls
from tartip.reports.v1 import reports_pb2_grpc

from .renewing import Place, presented_by, serial, serving


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(certificates, "CHECK_SECONDS", 0.0)
    async with serving(tmp_path) as found:
        yield found


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
