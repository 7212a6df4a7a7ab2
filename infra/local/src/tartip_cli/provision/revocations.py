"""Records which certificates of partners, devices and officers were issued, and which are revoked.

The records are two files of JSON lines in the folder of the certificates: `issued.jsonl` and
`revoked.jsonl`. The second also states who revoked each certificate, when and why. The revocation
list of each authority (`<authority>.crl`) is made from `revoked.jsonl` and signed. The services
notice a new list by themselves.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import getpass
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from chassis.clock import real_clock
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tartip_cli.data_dir import write_private
from tartip_cli.failures import broken_file

_LIST_LIFE = dt.timedelta(days=3650)
T = TypeVar("T")


@dataclass(frozen=True)
class Issued:
    """A certificate that was issued: its serial number in hex, its time of expiry (ISO 8601), and
    the kind and name of its holder."""

    kind: str
    name: str
    serial: str
    ends: str


@dataclass(frozen=True)
class Revoked:
    """A certificate that was revoked: the fields of `Issued`, the time of the revocation (ISO
    8601), the user of this machine who revoked it, and the reason."""

    kind: str
    name: str
    serial: str
    ends: str
    at: str
    by: str
    reason: str


@dataclass(frozen=True)
class Revocations:
    """The records of issued and revoked certificates in `folder`, and the revocation lists made
    from them."""

    folder: Path

    def note_issued(self, issued: Iterable[tuple[str, str, x509.Certificate]]) -> None:
        """Record newly issued certificates, and remove the records of expired ones.

        Each certificate is given as (kind, name, certificate). Kind and name identify the holder.
        """
        noted = [_issued(kind, name, certificate) for kind, name, certificate in issued]
        now = real_clock().isoformat()
        with self._locked():
            _write(
                self._issued_file, [*(each for each in self.issued() if each.ends > now), *noted]
            )

    def issued(self) -> list[Issued]:
        return _read(self._issued_file, Issued)

    def revoked(self) -> list[Revoked]:
        return _read(self._revoked_file, Revoked)

    def revoke(self, kind: str, name: str, current: Path, *, reason: str) -> list[Revoked]:
        """Record that every certificate issued to a holder is revoked, with the `reason`. Returns
        the certificates that were not revoked before.

        `kind` and `name` identify the holder. The certificate in the file `current` is included. To
        make the revocation take effect, call `write_list` afterwards. After an interruption between
        the two calls, repeat both.
        """
        at, by = real_clock().isoformat(), _user()
        with self._locked():
            found = {e.serial: e for e in self.issued() if (e.kind, e.name) == (kind, name)}
            if serial := serial_in(current):
                certificate = x509.load_pem_x509_certificate(current.read_bytes())
                found.setdefault(serial, _issued(kind, name, certificate))
            before = self.revoked()
            known = {(each.kind, each.serial) for each in before}
            new = [
                Revoked(**asdict(each), at=at, by=by, reason=reason)
                for each in found.values()
                if (kind, each.serial) not in known
            ]
            _write(self._revoked_file, [*before, *new])
        return new

    def write_list(self, kind: str, authority: Path, key: ec.EllipticCurvePrivateKey) -> Path:
        """Write and sign the revocation list of the authority for this kind of holder, and return
        the path of the list. `authority` is the file of the authority's certificate, `key` the
        authority's private key.

        Certificates that have expired are not listed.
        """
        now = real_clock()
        issuer = x509.load_pem_x509_certificate(authority.read_bytes())
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(now)
            .next_update(now + _LIST_LIFE)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False
            )
            .add_extension(x509.CRLNumber(int(now.timestamp())), False)
        )
        for each in self.revoked():
            if each.kind == kind and each.ends > now.isoformat():
                builder = builder.add_revoked_certificate(_entry(each))
        path = authority.with_suffix(".crl")
        signed = builder.sign(key, hashes.SHA256())
        write_private(path, signed.public_bytes(serialization.Encoding.PEM))
        return path

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from writing these files while the block runs."""
        handle = os.open(self.folder / "revocations.lock", os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(handle, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def _issued_file(self) -> Path:
        return self.folder / "issued.jsonl"

    @property
    def _revoked_file(self) -> Path:
        return self.folder / "revoked.jsonl"


def serial_in(path: Path) -> str:
    """Return the serial number (hex) of the certificate in a PEM file. The result is "" if there is
    no file or the file is not a certificate."""
    try:
        return f"{x509.load_pem_x509_certificate(path.read_bytes()).serial_number:x}"
    except (OSError, ValueError):
        return ""


def _issued(kind: str, name: str, certificate: x509.Certificate) -> Issued:
    ends = certificate.not_valid_after_utc.isoformat()
    return Issued(kind, name, f"{certificate.serial_number:x}", ends)


def _entry(each: Revoked) -> x509.RevokedCertificate:
    return (
        x509.RevokedCertificateBuilder()
        .serial_number(int(each.serial, 16))
        .revocation_date(dt.datetime.fromisoformat(each.at))
        .build()
    )


def _read(path: Path, kind: type[T]) -> list[T]:
    """The items in a file of JSON lines; [] if there is none. Raises Failure if it is damaged."""
    if not path.exists():
        return []
    try:
        return [kind(**json.loads(line)) for line in path.read_text().splitlines()]
    except (ValueError, TypeError) as error:
        raise broken_file(path, "it does not hold what was written into it") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return str(os.getuid())


def _write(path: Path, items: Iterable[Issued | Revoked]) -> None:
    write_private(path, "".join(json.dumps(asdict(item)) + "\n" for item in items).encode())
