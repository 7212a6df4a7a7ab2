"""Whether a decision was signed by the officer it names: certificate, authority, signature.

ECDSA over P-256 with SHA-256 (DER), made by the officer's own key; only the public half comes here.
"""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from violations.model import CertificateNotTrusted, CertificateOfOtherOfficer, SignatureWrong

PEM_BYTES_MAX = 16 * 1024


class OfficerAuthority:
    """The authorities that certify officers' signing keys."""

    def __init__(self, authorities: list[x509.Certificate]) -> None:
        self._authorities = authorities

    @classmethod
    def open(cls, path: Path) -> "OfficerAuthority":
        return cls(x509.load_pem_x509_certificates(path.read_bytes()))

    def verify(
        self, *, officer: str, canonical: bytes, signature: bytes, pem: bytes, now: datetime
    ) -> None:
        """Raises CertificateNotTrusted, CertificateOfOtherOfficer or SignatureWrong."""
        certificate = _read(pem)
        if not any(_issued(certificate, authority, now) for authority in self._authorities):
            raise CertificateNotTrusted
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
            key.curve, ec.SECP256R1
        ):
            raise CertificateNotTrusted
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if [name.value for name in names] != [officer]:
            raise CertificateOfOtherOfficer
        try:
            key.verify(signature, canonical, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise SignatureWrong from error


def _read(pem: bytes) -> x509.Certificate:
    if len(pem) > PEM_BYTES_MAX:
        raise CertificateNotTrusted
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateNotTrusted from error


def _issued(certificate: x509.Certificate, authority: x509.Certificate, now: datetime) -> bool:
    """Directly by this authority, both valid now, for signing and not for issuing further."""
    try:
        certificate.verify_directly_issued_by(authority)
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    in_time = all(
        cert.not_valid_before_utc <= now <= cert.not_valid_after_utc
        for cert in (certificate, authority)
    )
    return in_time and not constraints.ca and usage.digital_signature
