"""A certificate that is replaced while the process runs is read again; half a pair is not."""

import datetime as dt
from pathlib import Path

import pytest
from chassis.clock import real_clock
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from host import certificates
from host.certificates import (
    CertificateFiles,
    CertificateUnusable,
    CurrentCertificate,
    days_left,
    share_left,
)
from host.checks import certificate_check

DAY = dt.timedelta(days=1)


def made(*, begun: dt.timedelta = DAY, left: dt.timedelta = 3 * DAY) -> tuple[bytes, bytes]:
    """A certificate and its key in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(real_clock() - begun)
        .not_valid_after(real_clock() + left)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return certificate.public_bytes(pem), key.private_bytes(pem, pkcs8, plain)


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    found = CertificateFiles(tmp_path / "leaf.pem", tmp_path / "leaf.key")
    write(found, *made())
    return found


@pytest.fixture(autouse=True)
def looking_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "CHECK_SECONDS", 0.0)


def write(files: CertificateFiles, certificate: bytes, key: bytes) -> None:
    files.key.write_bytes(key)
    files.certificate.write_bytes(certificate)


def test_a_renewed_pair_is_read_again(files: CertificateFiles) -> None:
    current = CurrentCertificate(files)
    first = current.get()
    assert current.get() is first
    certificate, key = made()
    write(files, certificate, key)
    assert (current.get().certificate, current.get().key) == (certificate, key)


def test_half_a_pair_is_not_used(files: CertificateFiles) -> None:
    current = CurrentCertificate(files)
    first, (certificate, key) = current.get(), made()
    files.key.write_bytes(key)
    assert current.get() is first
    files.certificate.write_bytes(certificate)
    assert current.get().certificate == certificate


@pytest.mark.parametrize("lost", ["certificate", "key"])
def test_a_removed_file_leaves_the_running_process_what_it_had(
    files: CertificateFiles, lost: str
) -> None:
    current = CurrentCertificate(files)
    first = current.get()
    getattr(files, lost).unlink()
    assert current.get() is first


async def test_a_process_whose_file_was_removed_is_as_well_as_the_certificate_that_it_uses(
    files: CertificateFiles,
) -> None:
    check = certificate_check(files.certificate, files.key)
    files.certificate.unlink()
    assert await check.look() == {}
    write(files, *made(begun=2 * DAY, left=-DAY))
    assert (await check.look())["certificate"].startswith("expired at ")


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("key", None, "No such file"),
        ("certificate", None, "No such file"),
        ("key", b"no key", "not a private key"),
        ("certificate", b"no certificate", "not a certificate"),
        ("key", made()[1], "(not the key of leaf.pem)"),
    ],
)
def test_what_is_missing_or_damaged_is_said_in_one_line_with_what_to_do(
    files: CertificateFiles, file: str, content: bytes | None, says: str
) -> None:
    path = getattr(files, file)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CertificateUnusable) as refused:
        CurrentCertificate(files)
    told = str(refused.value)
    assert str(path) in told and says in told and "issue" in told and "\n" not in told


def test_days_and_share_of_life_left_are_those_of_the_first_certificate(tmp_path: Path) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(made()[0] + made(left=100 * DAY)[0])
    assert days_left(path) == pytest.approx(3, abs=0.01)
    assert share_left(path) == pytest.approx(0.75, abs=0.01)
    path.write_bytes(made(begun=2 * DAY, left=-DAY)[0])
    assert days_left(path) == pytest.approx(-1, abs=0.01)
    assert share_left(path) < 0
