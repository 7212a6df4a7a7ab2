"""The certificate authorities of the embedded run and the certificates they sign.

Services, partners, devices and officers each have an authority, created at the first run and never
replaced; all leaf certificates are renewed at each start and are valid for sixty days. The
certificate of a service, partner or device identifies its holder by a URI in the subject
alternative name (`spiffe://tartip/{service,partner,device}/<name>`). This URI is accepted only if
the services', partners' or devices' own authority signed the certificate. A service's certificate
is for servers and clients, a partner's and a device's for clients only, an officer's for signatures
only.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from chassis.clock import real_clock
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tartip_cli.data_dir import write_private
from tartip_cli.failures import broken_file
from tartip_cli.topology import COMMAND_LINE, DEVICES, OPERATORS, PARTNERS, SERVICES

_AUTHORITY_LIFE = dt.timedelta(days=3650)
_LEAF_LIFE = dt.timedelta(days=60)
_BACKDATED = dt.timedelta(minutes=5)
_NAMES = {
    "service": (*(service.name for service in SERVICES), "nats", "triton", COMMAND_LINE),
    "partner": PARTNERS,
    "device": DEVICES,
}
# The single authority of an older folder: its certificates are no longer trusted.
_RETIRED = "ca.key"


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """A certificate authority, as two PEM files."""

    files: KeyPair

    @classmethod
    def open(cls, folder: Path, name: str) -> Authority:
        """Return the authority whose files in `folder` begin with `name`; if there are none, it is
        created. Raises Failure if its files are damaged."""
        files = KeyPair(folder / f"{name}.pem", folder / f"{name}.key")
        if not (files.certificate.exists() and files.key.exists()):
            _make_authority(files, name)
        _check_pair(files)
        return cls(files)

    def issue(
        self, pair: KeyPair, *, common_name: str, uri: str | None, serves: bool = False
    ) -> None:
        """Create a new key and a certificate for it, and write both to the files of `pair`.

        With a URI, the certificate is for clients and, with `serves`, also for servers. Without a
        URI it is for signatures.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.load_pem_x509_certificate(self.files.certificate.read_bytes())
        signer = _load_key(self.files.key)
        builder = _builder(common_name, issuer.subject, key.public_key(), _LEAF_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_key_usage(), True)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
        )
        if uri is not None:
            builder = builder.add_extension(_names(uri, serves=serves), False)
            usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
            usages += [ExtendedKeyUsageOID.SERVER_AUTH] if serves else []
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        certificate = builder.sign(signer, hashes.SHA256())
        write_private(pair.key, _pem(key))
        write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))


@dataclass(frozen=True)
class Certificates:
    """The paths of all certificates of the mesh."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The file with the certificate of the services' authority, which signs the certificates of
        all servers."""
        return self.folder / "ca.pem"

    @property
    def client_authorities(self) -> Path:
        """The folder that holds the certificate of the authority for each kind of client, as
        `<kind>.pem`."""
        return self.folder / "authorities"

    @property
    def broker_clients(self) -> Path:
        """The file with the certificates of the authorities whose clients NATS accepts: those of
        services and, since hubs send their reports, of devices."""
        return self.folder / "broker-clients.pem"

    @property
    def officer_authority(self) -> Path:
        return self.folder / "officer-ca.pem"

    def service(self, name: str) -> KeyPair:
        return self._pair("service", name)

    def partner(self, name: str) -> KeyPair:
        return self._pair("partner", name)

    def device(self, name: str) -> KeyPair:
        return self._pair("device", name)

    def officer(self, operator_id: str) -> KeyPair:
        """The key and certificate with which an officer signs decisions. In production, the
        officer's browser or card would hold them."""
        return self._pair("officer", operator_id)

    def issue_partner(self, name: str) -> bool:
        """Issue a certificate for the partner unless it has one; return whether one was issued."""
        if self.partner(name).certificate.exists():
            return False
        self._issue("partner", name)
        return True

    def renew(self) -> None:
        """Create missing authorities and issue new certificates to all services, partners, devices
        and officers, including partners that were added later. Raises Failure if an authority's
        files are damaged."""
        for folder in ("authorities", *_NAMES, "officer"):
            (self.folder / folder).mkdir(mode=0o700, exist_ok=True)
        found = sorted((self.folder / "partner").glob("*.pem"))
        added = [path.stem for path in found if path.with_suffix(".key").exists()]
        for kind, names in _NAMES.items():
            for name in dict.fromkeys((*names, *(added if kind == "partner" else ()))):
                self._issue(kind, name)
        officers = Authority.open(self.folder, "officer-ca")
        for operator in OPERATORS:
            officers.issue(self.officer(operator.id), common_name=operator.id, uri=None)
        services, devices = (
            (self.client_authorities / f"{kind}.pem").read_bytes() for kind in ("service", "device")
        )
        write_private(self.authority, services)
        write_private(self.broker_clients, services + devices)
        (self.folder / _RETIRED).unlink(missing_ok=True)

    def _issue(self, kind: str, name: str) -> None:
        uri, pair = f"spiffe://tartip/{kind}/{name}", self._pair(kind, name)
        authority = Authority.open(self.client_authorities, kind)
        authority.issue(pair, common_name=name, uri=uri, serves=kind == "service")

    def _pair(self, kind: str, name: str) -> KeyPair:
        return KeyPair(self.folder / kind / f"{name}.pem", self.folder / kind / f"{name}.key")


def _check_pair(files: KeyPair) -> None:
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except ValueError as error:
        raise broken_file(files.certificate, "it is not a certificate") from error
    try:
        key = _load_key(files.key)
    except ValueError as error:
        raise broken_file(files.key, "it is not a key") from error
    if key.public_key() != certificate.public_key():
        raise broken_file(files.key, f"it is not the key of {files.certificate.name}")


def _make_authority(files: KeyPair, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"Tartip embedded {name}")
    builder = _builder(f"Tartip embedded {name}", subject, key.public_key(), _AUTHORITY_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    builder = builder.add_extension(_key_usage(authority=True), True)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
    )
    certificate = builder.sign(key, hashes.SHA256())
    # The key first: `open` repairs a key without its certificate.
    write_private(files.key, _pem(key))
    write_private(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    common_name: str,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    life: dt.timedelta,
) -> x509.CertificateBuilder:
    now = real_clock()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + life)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _names(uri: str, *, serves: bool) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    if serves:
        names += [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
    return x509.SubjectAlternativeName(names)


def _key_usage(*, authority: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
