"""A process's certificate and its private key: two PEM files, read again when they are renewed.

The files may be replaced while the process runs, the key first. `CurrentCertificate` keeps the last
complete pair until a complete new pair can be read.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from chassis.clock import real_clock
from chassis.identity import KINDS
from chassis.settings import Settings
from cryptography import x509
from cryptography.hazmat.primitives import serialization

CHECK_SECONDS = 1.0
SETTLE_TRIES, SETTLE_SECONDS = 20, 0.05
_ISSUE = (
    "issue certificate and key anew for this service, or restore both; a running `tartip up` "
    "issues its services' own within a minute"
)
_RESTORE = "it is an authority's and cannot be made anew: restore it from a backup"
log = logging.getLogger(__name__)
Stamp = tuple[tuple[int, int, int], ...]


class CertificateUnusable(Exception):
    """A certificate, key or revocation list is missing or damaged; the text says what to do."""


class _HalfReplaced(CertificateUnusable):
    """The key does not belong to the certificate, or not yet."""


@dataclass(frozen=True)
class Pem:
    """A certificate chain, the process's own certificate first, and its private key, in PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True)
class CertificateFiles:
    """The paths of a certificate chain and of its private key."""

    certificate: Path
    key: Path

    def read(self) -> Pem:
        """Return the content of both files. Raises CertificateUnusable if a file is missing or
        damaged, or if the private key does not belong to the certificate."""
        found = Pem(_content(self.certificate), _content(self.key))
        leaf = _parsed(self.certificate, found.certificate)
        try:
            key = serialization.load_pem_private_key(found.key, password=None)
        except (ValueError, TypeError) as error:
            raise _unusable(self.key, "it is not a private key in PEM") from error
        if key.public_key() != leaf.public_key():
            raise _HalfReplaced(_advice(self.key, f"not the key of {self.certificate.name}"))
        return found

    def read_settled(self) -> Pem:
        """Return the content of both files; wait up to a second until key and certificate match.

        During a renewal, the key is replaced before the certificate. Raises CertificateUnusable,
        like `read`.
        """
        for _ in range(SETTLE_TRIES):
            try:
                return self.read()
            except _HalfReplaced:
                time.sleep(SETTLE_SECONDS)
        return self.read()

    def stamp(self) -> Stamp:
        """Return a value that changes when one of the files is replaced. Raises OSError."""
        return stamp_of(self.certificate, self.key)


class CurrentCertificate:
    """The process's newest usable certificate and key.

    The files are checked for a change at most once in CHECK_SECONDS. While they are missing,
    damaged or only half replaced, the pair that was read last stays in use.
    """

    def __init__(self, files: CertificateFiles) -> None:
        """Raises CertificateUnusable."""
        self._files = files
        self._pem = files.read_settled()
        self._stamp = files.stamp()
        self._refused: Stamp | None = None
        self._looked_at = time.monotonic()

    def get(self) -> Pem:
        """Return the newest usable pair; it is the same object until the files change."""
        now = time.monotonic()
        if now - self._looked_at >= CHECK_SECONDS:
            self._looked_at = now
            self._read_if_changed()
        return self._pem

    def _read_if_changed(self) -> None:
        try:
            stamp = self._files.stamp()
        except OSError:
            return  # renewed or removed: a process that starts says so
        if stamp == self._stamp:
            return
        try:
            self._pem = self._files.read()
        except CertificateUnusable as error:
            if stamp != self._refused:
                log.warning("the certificate read before stays in use: %s", error)
            self._refused = stamp
            return
        self._stamp = stamp
        log.info("the certificate was renewed and ends %s", ends_at(self._files.certificate))


def days_left(path: Path) -> float:
    """Return the days until the first certificate in a PEM file expires, below 0 if it has expired.

    Raises CertificateUnusable.
    """
    return (ends_at(path) - real_clock()) / timedelta(days=1)


def share_left(path: Path) -> float:
    """Return how much of the first certificate's validity period is left, as a share.

    The share is 1 at the beginning of the period, 0 at its end and negative later. `path` is a PEM
    file with one or more certificates. Raises CertificateUnusable.
    """
    leaf = _parsed(path, _content(path))
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    return (leaf.not_valid_after_utc - real_clock()) / life


def ends_at(path: Path) -> datetime:
    """Return when the first certificate in a PEM file expires. Raises CertificateUnusable."""
    return _parsed(path, _content(path)).not_valid_after_utc


def stamp_of(*paths: Path) -> Stamp:
    """Return a value that changes when one of these files is replaced. Raises OSError."""
    found = [path.stat() for path in paths]
    return tuple((file.st_mtime_ns, file.st_ino, file.st_size) for file in found)


def require_certificates(path: Path) -> None:
    """Raise CertificateUnusable unless the file, of an authority, has at least one certificate in
    PEM."""
    _parsed(path, _content(path, do=_RESTORE), do=_RESTORE)


def require_all_certificates(settings: Settings, *, serves_grpc: bool) -> None:
    """Raise CertificateUnusable if a service's certificate, its key or an authority's certificate
    is missing or damaged. Authorities of callers are needed only with `serves_grpc`."""
    CertificateFiles(settings.tls_cert, settings.tls_key).read_settled()
    require_certificates(settings.tls_ca)
    if serves_grpc:
        for kind in KINDS:
            require_certificates(settings.tls_client_authorities / f"{kind}.pem")


def _parsed(path: Path, content: bytes, *, do: str = _ISSUE) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(content)[0]
    except (ValueError, IndexError) as error:
        raise _unusable(path, "it is not a certificate in PEM", do) from error


def _content(path: Path, *, do: str = _ISSUE) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__, do) from error


def _unusable(path: Path, why: str, do: str = _ISSUE) -> CertificateUnusable:
    return CertificateUnusable(_advice(path, why, do))


def _advice(path: Path, why: str, do: str = _ISSUE) -> str:
    return f"{path} cannot be used ({why}): {do}"
