"""The certificate authorities of a mesh run by `tartip`, and the certificates that they sign.

Services, partners, devices and officers each have their own authority. It is created at the first
run and never replaced. A certificate is valid for sixty days. It is renewed at each start, and at
half of its life while the mesh runs.

The certificate of a service, partner or device identifies its holder by a URI in the subject
alternative name (`spiffe://tartip/{service,partner,device}/<name>`). This URI is accepted only if
the authority of that kind of holder signed the certificate. The certificate of a service is for
servers and clients, that of a partner or device for clients only, and that of an officer for
signatures only.

A fifth authority signs the certificates of Triton's two callers. Triton does not check who calls;
it accepts every certificate of the fifth authority.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chassis.clock import real_clock
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tartip_cli.data_dir import write_private
from tartip_cli.failures import Failure, broken_file
from tartip_cli.provision.revocations import Revocations, Revoked, serial_in
from tartip_cli.topology import COMMAND_LINE, DEVICES, OPERATORS, PARTNERS, SERVICES

_AUTHORITY_LIFE = dt.timedelta(days=3650)
LEAF_LIFE = dt.timedelta(days=60)
_BACKDATED = dt.timedelta(minutes=5)
_TRITON = "triton"
_NAMES = {
    "service": (*(service.name for service in SERVICES), "nats", _TRITON, COMMAND_LINE),
    "partner": PARTNERS,
    "device": DEVICES,
    "triton-caller": ("inference-gateway", COMMAND_LINE),
    "officer": tuple(operator.id for operator in OPERATORS),
}
_AUTHORITIES = {"officer": "officer-ca", "triton-caller": "triton-callers"}
# Whose certificates can be revoked. A service's are replaced together with its key instead.
REVOCABLE = ("partner", "device", "officer")
# The single authority of an older folder: its certificates are no longer trusted.
_RETIRED = "ca.key"


@dataclass(frozen=True)
class KeyPair:
    """The paths of two PEM files: a certificate and its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """A certificate authority. The field `files` holds the paths of its certificate and its private
    key."""

    files: KeyPair

    @classmethod
    def open(cls, folder: Path, name: str) -> Authority:
        """Return the authority whose files in `folder` begin with `name`. If there are no such
        files, the authority is created. Raises Failure if the files are damaged."""
        files = KeyPair(folder / f"{name}.pem", folder / f"{name}.key")
        if not (files.certificate.exists() and files.key.exists()):
            _make_authority(files, name)
        _check_pair(files)
        return cls(files)

    def issue(
        self,
        pair: KeyPair,
        *,
        common_name: str,
        uri: str | None,
        serves: bool = False,
        life: dt.timedelta = LEAF_LIFE,
    ) -> x509.Certificate:
        """Create a new key and a certificate for it, write both to the files of `pair`, and return
        the certificate.

        With a URI, the certificate is for clients. With `serves`, it is also for servers. Without a
        URI, the certificate is for signatures.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.load_pem_x509_certificate(self.files.certificate.read_bytes())
        signer = self.key()
        builder = _builder(common_name, issuer.subject, key.public_key(), life)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_key_usage(signs=uri is None), True)
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
        return certificate

    def key(self) -> ec.EllipticCurvePrivateKey:
        """Read and return the private key of the authority."""
        return _load_key(self.files.key)


@dataclass(frozen=True)
class Certificates:
    """Issues, renews and revokes the certificates in the folder of a mesh. New certificates are
    valid for `leaf_life`."""

    folder: Path
    leaf_life: dt.timedelta = LEAF_LIFE

    @property
    def authority(self) -> Path:
        """The path of the certificate of the services' authority. This authority signs the
        certificates of all servers."""
        return self.folder / "ca.pem"

    @property
    def client_authorities(self) -> Path:
        """The folder with the certificates of the authorities of clients. There is one file for
        each kind of client, `<kind>.pem`."""
        return self.folder / "authorities"

    @property
    def broker_clients(self) -> Path:
        """The file with the certificates of the authorities whose clients NATS accepts. These are
        the authorities of services and of devices, since hubs send reports."""
        return self.folder / "broker-clients.pem"

    @property
    def officer_authority(self) -> Path:
        return self.folder / "officer-ca.pem"

    @property
    def triton_callers(self) -> Path:
        """The path of the certificate of the authority that signs the certificates of Triton's
        clients."""
        return self.folder / "triton-callers.pem"

    @property
    def revocations(self) -> Revocations:
        return Revocations(self.folder)

    def service(self, name: str) -> KeyPair:
        return self.pair("service", name)

    def partner(self, name: str) -> KeyPair:
        return self.pair("partner", name)

    def device(self, name: str) -> KeyPair:
        return self.pair("device", name)

    def officer(self, operator_id: str) -> KeyPair:
        """Return the paths of the key and the certificate with which an officer signs decisions. In
        production, the officer's browser or card would hold the key."""
        return self.pair("officer", operator_id)

    def triton_caller(self, name: str) -> KeyPair:
        """Return the paths of the certificate and the key for calls to Triton. `name` is a service
        or the command line."""
        return self.pair("triton-caller", name)

    def issue_partner(self, name: str) -> bool:
        """Issue a certificate for the partner, unless the partner has one that is not revoked.
        Returns whether a certificate was issued."""
        serial = serial_in(self.partner(name).certificate)
        revoked = (each.serial for each in self.revocations.revoked() if each.kind == "partner")
        if serial and serial not in revoked:
            return False
        self.issue([("partner", name)])
        return True

    def issue(self, holders: Iterable[tuple[str, str]]) -> None:
        """Issue a new certificate with a new key to each holder. Holders are given as (kind,
        name)."""
        issued = [(kind, name, self._issue(kind, name)) for kind, name in holders]
        self.revocations.note_issued(each for each in issued if each[0] in REVOCABLE)

    def _issue(self, kind: str, name: str) -> x509.Certificate:
        uri, pair = f"spiffe://tartip/{kind}/{name}", self.pair(kind, name)
        uri = uri.replace("triton-caller", "service")
        # Triton reads its certificate at its start alone, and is restarted for a new one.
        life = max(self.leaf_life, LEAF_LIFE) if name == _TRITON else self.leaf_life
        return self._authority_of(kind).issue(
            pair,
            common_name=name,
            uri=None if kind == "officer" else uri,
            serves=kind == "service",
            life=life,
        )

    def revoke(self, kind: str, name: str, *, reason: str) -> list[Revoked]:
        """Revoke all certificates of a holder that have not expired, and write the authority's
        revocation list again. Returns the certificates that were not revoked before."""
        current = self.pair(kind, name).certificate
        revoked = self.revocations.revoke(kind, name, current, reason=reason)
        authority = self._authority_of(kind)
        self.revocations.write_list(kind, authority.files.certificate, authority.key())
        return revoked

    def restore_lists(self) -> list[str]:
        """Write each authority's revocation list again that is missing or malformed although
        certificates were revoked. Returns the kinds of holder.

        Without its list, a service that starts would accept revoked certificates.
        """
        written = []
        for kind in sorted({each.kind for each in self.revocations.revoked()}):
            authority = self._authority_of(kind)
            path = authority.files.certificate.with_suffix(".crl")
            try:
                x509.load_pem_x509_crl(path.read_bytes())
            except (OSError, ValueError):
                self.revocations.write_list(kind, authority.files.certificate, authority.key())
                written.append(kind)
        return written

    def leaves(self) -> Iterator[tuple[str, str, Path]]:
        """Yield every certificate in the folder as kind of holder, name and file. Certificates
        whose private key is elsewhere are included."""
        for kind in _NAMES:
            for path in sorted((self.folder / kind).glob("*.pem")):
                yield kind, path.stem, path

    def renew_due(self) -> list[str]:
        """Renew each certificate that has less than half of its life left or is not valid yet, or
        whose files are damaged. Returns the names of the renewed ones as "kind/name".

        Revoked certificates are not renewed, nor are those of partners whose private key is
        elsewhere. Raises Failure if the files of an authority are damaged.
        """
        due = [
            (kind, name)
            for kind, name in self._valid_holders()
            if _is_due(self.pair(kind, name), self.leaf_life)
        ]
        self.issue(due)
        return [f"{kind}/{name}" for kind, name in due]

    def renew(self) -> None:
        """Create missing authorities, and issue new certificates to all services, partners,
        devices, officers and callers of Triton. No new certificate is issued if the holder's
        certificate was revoked, or if a partner's private key is elsewhere. Raises Failure if the
        files of an authority are damaged."""
        for folder in ("authorities", *_NAMES):
            (self.folder / folder).mkdir(mode=0o700, exist_ok=True)
        for kind in _NAMES:
            self._authority_of(kind)
        self.issue(self._valid_holders())
        self.restore_lists()
        services, devices = (
            (self.client_authorities / f"{kind}.pem").read_bytes() for kind in ("service", "device")
        )
        write_private(self.authority, services)
        write_private(self.broker_clients, services + devices)
        (self.folder / _RETIRED).unlink(missing_ok=True)

    def _valid_holders(self) -> Iterator[tuple[str, str]]:
        """Kind and name of all whose certificates are renewed here and were not revoked."""
        revoked = {(each.kind, each.serial) for each in self.revocations.revoked()}
        found = sorted((self.folder / "partner").glob("*.pem"))
        added = [path.stem for path in found if path.with_suffix(".key").exists()]
        for kind, names in _NAMES.items():
            for name in dict.fromkeys((*names, *(added if kind == "partner" else ()))):
                if (kind, serial_in(self.pair(kind, name).certificate)) not in revoked:
                    yield kind, name

    def _authority_of(self, kind: str) -> Authority:
        named = _AUTHORITIES.get(kind)
        if named is not None:
            return Authority.open(self.folder, named)
        return Authority.open(self.client_authorities, kind)

    def pair(self, kind: str, name: str) -> KeyPair:
        """Return the paths of the certificate and the key of a holder. The arguments are the kind
        of holder (such as "partner") and the name. The files need not exist."""
        return KeyPair(self.folder / kind / f"{name}.pem", self.folder / kind / f"{name}.key")


def _is_due(pair: KeyPair, life: dt.timedelta) -> bool:
    """Whether less than half of the life is left, the certificate is not valid yet (it was issued
    while the clock was ahead), or the files cannot be used."""
    try:
        _check_pair(pair)
        found = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    except (Failure, OSError):
        return True
    whole, now = found.not_valid_after_utc - found.not_valid_before_utc, real_clock()
    is_early = now < found.not_valid_before_utc
    return is_early or found.not_valid_after_utc - now < min(whole, life) / 2


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
        .not_valid_before(now - min(_BACKDATED, life / 10))
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


def _key_usage(*, authority: bool = False, signs: bool = False) -> x509.KeyUsage:
    """What a key may do: an authority's sign certificates and lists, an officer's (`signs`) sign
    what its holder stands by, all others sign the handshakes of TLS."""
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=signs,
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
