"""Whose signature counts: the named officer's, under the officers' authority, over these bytes."""

from datetime import UTC, datetime, timedelta

import pytest
from chassis.refusals import Refusal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from violations.model import CertificateNotTrusted, CertificateOfOtherOfficer, SignatureWrong
from violations.signing import OfficerAuthority

NOW = datetime(2026, 6, 3, tzinfo=UTC)
CONTENT = b'{"verdict":"confirm"}'
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def certificate(
    name: str,
    key: Key,
    signer: ec.EllipticCurvePrivateKey,
    *,
    issuer: str = "officer-ca",
    authority: bool = False,
    from_: datetime = NOW - timedelta(days=1),
) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(from_)
        .not_valid_after(from_ + timedelta(days=10))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), True)
        .add_extension(usage, True)
        .sign(signer, hashes.SHA256())
    )


AUTHORITY_KEY = ec.generate_private_key(ec.SECP256R1())
AUTHORITY = OfficerAuthority(
    [certificate("officer-ca", AUTHORITY_KEY, AUTHORITY_KEY, authority=True)]
)
OFFICER_KEY = ec.generate_private_key(ec.SECP256R1())
OFFICER = certificate("inspector-almaty", OFFICER_KEY, AUTHORITY_KEY)


def verify(
    given: x509.Certificate | bytes = OFFICER,
    *,
    officer: str = "inspector-almaty",
    signed: bytes = CONTENT,
    key: ec.EllipticCurvePrivateKey = OFFICER_KEY,
) -> None:
    pem = given if isinstance(given, bytes) else given.public_bytes(serialization.Encoding.PEM)
    signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    AUTHORITY.verify(officer=officer, canonical=CONTENT, signature=signature, pem=pem, now=NOW)


def test_the_officers_own_signature_counts() -> None:
    verify()


def test_other_bytes_or_another_key_do_not() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    for wrong in ({"signed": CONTENT + b" "}, {"key": other}):
        with pytest.raises(SignatureWrong):
            verify(**wrong)
    with pytest.raises(SignatureWrong):
        AUTHORITY.verify(
            officer="inspector-almaty",
            canonical=CONTENT,
            signature=b"not DER",
            now=NOW,
            pem=OFFICER.public_bytes(serialization.Encoding.PEM),
        )


def test_another_officers_certificate_does_not() -> None:
    with pytest.raises(CertificateOfOtherOfficer):
        verify(officer="inspector-astana")


@pytest.mark.parametrize(
    "given",
    [
        b"nonsense",
        b"x" * 20_000,
        certificate("inspector-almaty", OFFICER_KEY, OFFICER_KEY),  # signed by himself
        certificate("inspector-almaty", OFFICER_KEY, AUTHORITY_KEY, issuer="other-ca"),
        certificate("inspector-almaty", OFFICER_KEY, AUTHORITY_KEY, from_=NOW + timedelta(days=1)),
        certificate("inspector-almaty", OFFICER_KEY, AUTHORITY_KEY, from_=NOW - timedelta(days=11)),
        certificate("inspector-almaty", OFFICER_KEY, AUTHORITY_KEY, authority=True),
        certificate("inspector-almaty", rsa.generate_private_key(65537, 2048), AUTHORITY_KEY),
        certificate("inspector-almaty", ec.generate_private_key(ec.SECP384R1()), AUTHORITY_KEY),
    ],
)
def test_a_certificate_of_another_make_issuer_or_time_does_not(
    given: x509.Certificate | bytes,
) -> None:
    with pytest.raises(CertificateNotTrusted) as caught:
        verify(given)
    assert isinstance(caught.value, Refusal)
