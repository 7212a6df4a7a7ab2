"""X.509 revocation lists: the certificates that an authority has revoked.

The list of the authority `partner.pem` is the file `partner.crl` beside it, signed by the
authority. Without this file nothing is revoked. The file may be replaced at any moment. A list
never expires: it applies until a new one can be read.
"""

import logging
import time
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from chassis.identity import KINDS
from chassis.refusals import CertificateRevoked
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from host.certificates import CertificateUnusable, Stamp, stamp_of

CHECK_SECONDS = 5.0
log = logging.getLogger(__name__)


class RevocationList:
    """The serial numbers of the certificates that one authority has revoked.

    The file of the list is checked for a change at most once in CHECK_SECONDS. While the file is
    missing or damaged, the list that was read last stays in force.
    """

    def __init__(self, authority: Path) -> None:
        """`authority` is the PEM file of the authority, or of several during a rotation.

        Raises CertificateUnusable if there is a list that none of them signed.
        """
        self._authority = authority
        self._path = authority.with_suffix(".crl")
        self._serials: frozenset[int] = frozenset()
        self._stamp: Stamp | None = None
        self._looked_at = time.monotonic()
        if self._path.exists():
            self._stamp = stamp_of(self._path)
            self._serials = self._read()

    def revokes(self, serials: frozenset[int]) -> bool:
        """Return whether one of these serial numbers is on the list."""
        now = time.monotonic()
        if now - self._looked_at >= CHECK_SECONDS:
            self._looked_at = now
            self._read_if_changed()
        return not self._serials.isdisjoint(serials)

    def _read_if_changed(self) -> None:
        try:
            stamp = stamp_of(self._path)
        except OSError as error:
            if self._stamp is not None:
                self._keep(None, f"{self._path}: {error.strerror}")
            return
        if stamp == self._stamp:
            return
        try:
            self._serials = self._read()
        except CertificateUnusable as error:
            self._keep(stamp, str(error))
            return
        self._stamp = stamp
        log.info("%s was read: %d certificates are revoked", self._path.name, len(self._serials))

    def _keep(self, stamp: Stamp | None, why: str) -> None:
        """Keep the list, and say so once for each state of the file."""
        self._stamp = stamp
        log.error("the revocation list read before stays in force: %s", why)

    def _read(self) -> frozenset[int]:
        try:
            found = x509.load_pem_x509_crl(self._path.read_bytes())
            authorities = x509.load_pem_x509_certificates(self._authority.read_bytes())
            signed = any(_signed(found, authority) for authority in authorities)
        except (OSError, ValueError) as error:
            raise _unusable(self._path, "it is not a revocation list in PEM") from error
        if not signed:
            raise _unusable(self._path, f"{self._authority.name} did not sign it")
        return frozenset(revoked.serial_number for revoked in found)


class Revocations:
    """The revocation lists of the authorities in a folder, one for each kind of caller.

    The constructor raises CertificateUnusable if a list is damaged or not signed by the authority.
    """

    def __init__(self, authorities: Path) -> None:
        self._lists = {kind: RevocationList(authorities / f"{kind}.pem") for kind in KINDS}

    def require(self, kind: str, chain: bytes) -> None:
        """Raise CertificateRevoked if a caller's certificate chain has a revoked certificate.

        `chain` is in PEM and must be verified already. It is remembered for `require_still`.
        """
        serials = _serials(chain)
        if self._lists[kind].revokes(serials):
            raise CertificateRevoked
        _bound.set((self, kind, chain))


_bound: ContextVar[tuple[Revocations, str, bytes] | None] = ContextVar("certificate", default=None)


def require_still() -> None:
    """Raise CertificateRevoked if the caller's certificate was revoked since the call began.

    For calls that take long. Does nothing outside of a call.
    """
    if bound := _bound.get():
        revocations, kind, chain = bound
        revocations.require(kind, chain)


def serials_of(pem: bytes) -> frozenset[int]:
    """Return the serial numbers of certificates in PEM. Raises ValueError if they are malformed."""
    return frozenset(found.serial_number for found in x509.load_pem_x509_certificates(pem))


_serials = lru_cache(maxsize=4096)(serials_of)


def _signed(found: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return False
    return found.issuer == authority.subject and found.is_signature_valid(key)


def _unusable(path: Path, why: str) -> CertificateUnusable:
    return CertificateUnusable(
        f"{path} cannot be used ({why}): restore it, or have its authority sign the list again"
    )
