"""Certificates and tokens are what the services will verify: right names, right authority."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509
from joserfc import jwt
from joserfc.jwk import KeySet
from tartip_cli.keys import Keys
from tartip_cli.pki import Certificates
from tartip_cli.testing import RunningTestMesh
from tartip_cli.topology import FINES


def test_leaves_carry_their_identity_and_are_renewed(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.renew()
    authority = certificates.authority.read_bytes()
    first = x509.load_pem_x509_certificate(certificates.partner("kaspi").certificate.read_bytes())
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://tartip/partner/kaspi"
    ]
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    first.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    certificates.renew()
    again = x509.load_pem_x509_certificate(certificates.partner("kaspi").certificate.read_bytes())
    assert certificates.authority.read_bytes() == authority
    assert again.serial_number != first.serial_number


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
