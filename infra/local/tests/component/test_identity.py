"""Certificates and tokens are what the services will verify: right names, right authority."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from chassis.authorities import Authorities
from chassis.refusals import NotAuthenticated
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from joserfc import jwt
from joserfc.jwk import KeySet
from tartip_cli.provision.certificates import Authority, Certificates
from tartip_cli.provision.keys import Keys
from tartip_cli.topology import FINES
from tartip_testing.mesh import RunningTestMesh

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def loaded(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.mark.parametrize(
    ("kind", "name", "usages"),
    [
        ("service", "fines", {CLIENT, SERVER}),
        ("partner", "kaspi", {CLIENT}),
        ("device", "edge-1", {CLIENT}),
    ],
)
def test_leaves_carry_their_identity_under_the_authority_of_their_kind_and_are_renewed(
    tmp_path: Path, kind: str, name: str, usages: set[x509.ObjectIdentifier]
) -> None:
    certificates = Certificates(tmp_path)
    certificates.renew()
    files = getattr(certificates, kind)(name).certificate
    authority = certificates.client_authorities / f"{kind}.pem"
    kept, first = authority.read_bytes(), loaded(files)
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        f"spiffe://tartip/{kind}/{name}"
    ]
    assert ("localhost" in names.get_values_for_type(x509.DNSName)) is (SERVER in usages)
    extended = first.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(extended) == usages
    first.verify_directly_issued_by(loaded(authority))
    certificates.renew()
    assert authority.read_bytes() == kept
    assert loaded(files).serial_number != first.serial_number


def test_four_authorities_have_a_key_each(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.renew()
    files = [certificates.client_authorities / f"{k}.pem" for k in ("service", "partner", "device")]
    four = [loaded(path).public_key() for path in (*files, certificates.officer_authority)]
    assert not any(one == other for one, other in itertools.combinations(four, 2))
    assert certificates.authority.read_bytes() == files[0].read_bytes()


def test_a_folder_with_one_authority_for_all_issues_anew(tmp_path: Path) -> None:
    """What the old authority signed opens nothing any more; officers' signatures still verify."""
    certificates = Certificates(tmp_path)
    old, officers = Authority.open(tmp_path, "ca"), Authority.open(tmp_path, "officer-ca")
    for kind, name in (("service", "fines"), ("partner", "kaspi"), ("officer", "inspector-almaty")):
        (tmp_path / kind).mkdir()
        pair = getattr(certificates, kind)(name)
        uri = None if kind == "officer" else f"spiffe://tartip/{kind}/{name}"
        (officers if kind == "officer" else old).issue(pair, common_name=name, uri=uri, serves=True)
    partner = certificates.partner("kaspi").certificate
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.pem")}
    certificates.renew()
    assert not (tmp_path / "ca.key").exists()
    authorities = Authorities.in_folder(certificates.client_authorities)
    assert authorities.caller(partner.read_bytes()) == ("partner", "kaspi")
    with pytest.raises(NotAuthenticated):
        authorities.caller(before[partner])
    loaded(certificates.service("fines").certificate).verify_directly_issued_by(
        loaded(certificates.authority)
    )
    assert certificates.officer_authority.read_bytes() == before[certificates.officer_authority]


def test_officers_are_certified_by_an_authority_of_their_own(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.renew()
    pair = certificates.officer("inspector-almaty")
    officer = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    officer.verify_directly_issued_by(
        x509.load_pem_x509_certificate(certificates.officer_authority.read_bytes())
    )
    assert officer.subject.rfc4514_string() == "CN=inspector-almaty"
    with pytest.raises(x509.ExtensionNotFound):
        officer.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert pair.key.stat().st_mode & 0o077 == 0


def test_keys_are_made_once(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.provision(("fines",))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    keys.provision(("fines",))
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert keys.of(FINES).stat().st_mode & 0o077 == 0


def test_tokens_verify_by_discovery_as_any_issuers_would(engines: RunningTestMesh) -> None:
    issuer = engines.oidc_issuer
    with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration") as answer:
        discovered = json.load(answer)
    assert discovered["issuer"] == issuer
    with urllib.request.urlopen(discovered["jwks_uri"]) as answer:
        document = json.load(answer)
    assert "d" not in document["keys"][0]
    token = jwt.decode(engines.token("inspector-astana"), KeySet.import_key_set(document))
    assert token.header["alg"] == "ES256"
    assert token.claims["roles"] == ["inspector"] and token.claims["regions"] == ["KZ-71"]
    assert token.claims["aud"] == "tartip" and token.claims["exp"] - token.claims["iat"] == 900


def test_the_issuer_vouches_for_nobody_it_does_not_know(engines: RunningTestMesh) -> None:
    form = urllib.parse.urlencode({"operator": "stranger"}).encode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{engines.oidc_issuer}/token", data=form)
    assert refused.value.code == 400
