"""The name in a certificate counts only where the authority of its kind signed it."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from chassis.authorities import Authorities
from chassis.refusals import NotAuthenticated
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = dt.datetime.now(dt.UTC)
KINDS = ("service", "partner", "device")
BOTH = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)


@dataclass
class Signer:
    """An authority, or one between an authority and its leaves."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, text: str, *, under: "Signer | None" = None) -> "Signer":
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, signer = (name, key) if under is None else (under.name, under.key)
        builder = started(name, issuer, key, signer)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        builder = builder.add_extension(usage(signs=True), True)
        return cls(name, key, builder.sign(signer, hashes.SHA256()))

    def leaf(
        self,
        *uris: str,
        dns: Iterable[str] = (),
        usages: Iterable[x509.ObjectIdentifier] = BOTH,
        ended: bool = False,
    ) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns)]
        builder = started(name, self.name, key, self.key, ended=ended)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(usage(signs=False), True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), False)
        return pem(builder.sign(self.key, hashes.SHA256()))


def started(
    name: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ended: bool = False,
) -> x509.CertificateBuilder:
    until = NOW - dt.timedelta(hours=1) if ended else NOW + dt.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=1))
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
        )
    )


def usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


SIGNERS = {kind: Signer.make(f"{kind} authority") for kind in KINDS}
AUTHORITIES = Authorities({kind: pem(signer.certificate) for kind, signer in SIGNERS.items()})


def id_of(kind: str, name: str = "fines") -> str:
    return f"spiffe://tartip/{kind}/{name}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signer", KINDS)
def test_an_authority_names_its_own_kind_and_no_other(kind: str, signer: str) -> None:
    shown = SIGNERS[signer].leaf(id_of(kind))
    if kind == signer:
        assert AUTHORITIES.caller(shown) == (kind, "fines")
        assert AUTHORITIES.caller(shown) == (kind, "fines")  # once known, too
    else:
        for _ in range(2):
            with pytest.raises(NotAuthenticated):
                AUTHORITIES.caller(shown)


@pytest.mark.parametrize(
    ("why", "shown"),
    [
        ("nothing shown", b""),
        ("no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("no name at all", SIGNERS["partner"].leaf()),
        ("a name that is no URI", SIGNERS["partner"].leaf(dns=["kaspi.example"])),
        ("two names", SIGNERS["partner"].leaf(id_of("partner"), id_of("service"))),
        ("another domain's name", SIGNERS["partner"].leaf("spiffe://other/partner/kaspi")),
        ("it has ended", SIGNERS["partner"].leaf(id_of("partner"), ended=True)),
        (
            "for servers alone",
            SIGNERS["partner"].leaf(id_of("partner"), usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
        ),
        ("nobody's authority", Signer.make("service authority").leaf(id_of("service"))),
        (
            "a partner that plays authority",
            Signer.make("between", under=Signer.make("partner authority")).leaf(id_of("partner")),
        ),
    ],
)
def test_anybody_else_is_nobody(why: str, shown: bytes) -> None:
    with pytest.raises(NotAuthenticated):
        AUTHORITIES.caller(shown)


def test_an_authority_may_sign_through_one_below_it() -> None:
    between = Signer.make("between", under=SIGNERS["partner"])
    shown = between.leaf(id_of("partner", "kaspi")) + pem(between.certificate)
    assert AUTHORITIES.caller(shown) == ("partner", "kaspi")
    with pytest.raises(NotAuthenticated):
        AUTHORITIES.caller(between.leaf(id_of("service")) + pem(between.certificate))


def test_an_authority_changes_over_while_both_are_trusted(tmp_path: Path) -> None:
    following = Signer.make("device authority 2")
    for kind, signer in SIGNERS.items():
        (tmp_path / f"{kind}.pem").write_bytes(pem(signer.certificate))
    with (tmp_path / "device.pem").open("ab") as bundle:
        bundle.write(pem(following.certificate))
    authorities = Authorities.in_folder(tmp_path)
    for signer in (SIGNERS["device"], following):
        assert authorities.caller(signer.leaf(id_of("device"))) == ("device", "fines")
    assert authorities.bundle.count(b"BEGIN CERTIFICATE") == 4


def test_a_kind_without_an_authority_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "service.pem").write_bytes(pem(SIGNERS["service"].certificate))
    with pytest.raises(OSError, match="partner"):
        Authorities.in_folder(tmp_path)
