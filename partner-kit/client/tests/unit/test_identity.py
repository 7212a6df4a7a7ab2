"""Certificates: when they end, and how a renewed one is read. OpenSSL's own reading agrees."""

import datetime as dt
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tartip_partner.certificates import ends_at
from tartip_partner.errors import CertificateExpired
from tartip_partner.identity import Identity

TOMORROW = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=1)
YESTERDAY = TOMORROW - dt.timedelta(days=2)


def certificate(until: dt.datetime = TOMORROW, name: str = "kaspi") -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(YESTERDAY - dt.timedelta(days=9)).not_valid_after(until)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("until", [TOMORROW, dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC)])
@pytest.mark.parametrize("name", ["kaspi", "k" * 64])
def test_the_end_of_a_certificate_is_read(until: dt.datetime, name: str) -> None:
    assert ends_at(certificate(until, name)) == until


def test_an_end_after_2049_is_read() -> None:
    """From 2050 on it is written in another form (RFC 5280, 4.1.2.5)."""
    until = dt.datetime(2050, 1, 1, tzinfo=dt.UTC)
    assert ends_at(certificate(until)) == until


def test_of_a_chain_the_first_certificate_counts() -> None:
    assert ends_at(b"Bag Attributes\n" + certificate() + certificate(YESTERDAY)) == TOMORROW


@pytest.mark.parametrize(
    "pem", [b"", b"x", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_a_value_error(pem: bytes) -> None:
    with pytest.raises(ValueError):
        ends_at(pem)


def test_a_certificate_that_has_ended_is_told_by_its_end() -> None:
    identity = Identity(ca=b"ca", certificate=certificate(YESTERDAY), key=b"key")
    with pytest.raises(CertificateExpired) as caught:
        identity.current().check()
    assert caught.value.ended_at == YESTERDAY
    identity.replace(certificate=certificate(), key=b"key")
    identity.current().check()


def test_renewed_files_are_read_again_and_unreadable_ones_are_not_taken(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("ca", "certificate", "key")}
    for path in paths.values():
        path.write_bytes(certificate())
    identity = Identity(**paths)
    first = identity.current()
    assert identity.current() is first
    paths["certificate"].write_bytes(b"half a cert")
    assert identity.current() is first
    paths["certificate"].unlink()
    assert identity.current() is first
    paths["certificate"].write_bytes(certificate(name="renewed"))
    assert identity.current().certificate == paths["certificate"].read_bytes()


def test_files_that_are_missing_at_the_beginning_are_told(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Identity(ca=b"", certificate=tmp_path / "none", key=b"")
