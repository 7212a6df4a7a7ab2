"""A revoked certificate opens nothing, also on a connection that stands; others are not touched."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chassis.authorities import Authorities
from chassis.identity import TokenVerifier, allow
from host import revocation
from host.certificates import CertificateUnusable
from host.gate import Gate
from host.revocation import RevocationList, Revocations
from host.server import GrpcServer
from host.shares import Shares
from tartip.reports.v1 import reports_pb2_grpc
from tartip_cli.provision.certificates import Certificates

from .test_server import SERVICE, Place, Slow, free_address, looking_up, refusal_of


@pytest.fixture(autouse=True)
def looking_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "CHECK_SECONDS", 0.0)


@pytest.fixture
def held(tmp_path: Path) -> Certificates:
    certificates = Certificates(tmp_path / "tls")
    certificates.folder.mkdir()
    certificates.renew()
    return certificates


@pytest.fixture
async def place(held: Certificates) -> AsyncIterator[Place]:
    policy = {f"/{SERVICE.full_name}/{m.name}": allow(partners=True) for m in SERVICE.methods}
    folder, pair = held.client_authorities, held.service("citizen-reports")
    authorities, revocations = Authorities.in_folder(folder), Revocations(folder)
    gate = Gate(policy, TokenVerifier("http://127.0.0.1:9"), authorities, Shares(), revocations)
    address, slow = free_address(), Slow()
    slow.may_answer.set()
    server = GrpcServer(address, gate, cert=pair.certificate, key=pair.key)
    reports_pb2_grpc.add_CitizenReportsServicer_to_server(slow, server.server)
    await server.start((SERVICE.full_name,))
    yield Place(address, held, slow)
    await server.stop(0)


async def test_a_revoked_partner_is_refused_by_name_on_a_connection_that_stands(
    place: Place, held: Certificates
) -> None:
    async with place.client("kaspi") as kaspi, place.client("halyk") as halyk:
        assert await looking_up(kaspi) is not None
        held.revoke("partner", "kaspi", reason="its key was lost")
        refused = await refusal_of(looking_up(kaspi))
        assert refused.reason == "CERTIFICATE_REVOKED"
        assert all(vars(refused.message).values())
        assert await looking_up(halyk) is not None
    async with place.client("kaspi") as again:
        assert (await refusal_of(looking_up(again))).reason == "CERTIFICATE_REVOKED"
    held.issue([("partner", "kaspi")])
    async with place.client("kaspi") as replaced:
        assert await looking_up(replaced) is not None


async def test_certificates_issued_before_are_revoked_too(
    place: Place, held: Certificates, tmp_path: Path
) -> None:
    older = Certificates(tmp_path / "older")
    shutil.copytree(held.folder, older.folder)
    held.issue([("partner", "kaspi")])
    assert len(held.revoke("partner", "kaspi", reason="its key was lost")) == 2
    async with Place(place.address, older, place.slow).client("kaspi") as kaspi:
        assert (await refusal_of(looking_up(kaspi))).reason == "CERTIFICATE_REVOKED"


def listed(held: Certificates, authority: Path, *names: str) -> list[bool]:
    read = RevocationList(authority)
    return [read.revokes(serials(held, name)) for name in names]


def serials(held: Certificates, name: str) -> frozenset[int]:
    return revocation.serials_of(held.partner(name).certificate.read_bytes())


def test_a_list_of_another_authority_stops_the_start_and_changes_nothing_later(
    held: Certificates, tmp_path: Path
) -> None:
    authority = held.client_authorities / "partner.pem"
    held.revoke("partner", "kaspi", reason="its key was lost")
    read = RevocationList(authority)
    strangers = Certificates(tmp_path / "strangers")
    strangers.folder.mkdir()
    strangers.renew()
    strangers.revoke("partner", "halyk", reason="theirs")
    forged = strangers.client_authorities / "partner.crl"
    shutil.copy(forged, authority.with_suffix(".crl"))
    assert read.revokes(serials(held, "kaspi"))
    with pytest.raises(CertificateUnusable, match=r"partner\.pem did not sign it"):
        RevocationList(authority)


@pytest.mark.parametrize("content", [None, b"", b"no list"])
def test_a_list_that_is_lost_stays_in_force(held: Certificates, content: bytes | None) -> None:
    authority = held.client_authorities / "partner.pem"
    held.revoke("partner", "kaspi", reason="its key was lost")
    read = RevocationList(authority)
    path = authority.with_suffix(".crl")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert read.revokes(serials(held, "kaspi"))
    assert not read.revokes(serials(held, "halyk"))


def test_a_list_holds_those_of_its_authority_alone(held: Certificates) -> None:
    held.revoke("officer", "inspector-almaty", reason="left the service")
    held.revoke("partner", "kaspi", reason="its key was lost")
    authority: Any = held.client_authorities / "partner.pem"
    assert listed(held, authority, "kaspi", "halyk") == [True, False]
    officers = RevocationList(held.officer_authority)
    officer = held.officer("inspector-almaty").certificate.read_bytes()
    assert officers.revokes(revocation.serials_of(officer))
    assert not officers.revokes(serials(held, "kaspi"))
