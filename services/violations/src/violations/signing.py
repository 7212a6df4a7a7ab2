"""The bytes that an officer signs, and the verification of the signature.

Officers sign the canonical bytes of a decision (JSON by RFC 8785). A signature is ECDSA over P-256
with SHA-256, DER-encoded, made with the officer's private key; this service receives only the
certificate.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785
from chassis.refusals import CertificateRevoked
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from host.certificates import require_certificates
from host.revocation import RevocationList

from violations.model import (
    CertificateNotTrusted,
    CertificateOfOtherOfficer,
    Device,
    Place,
    Readings,
    SignatureWrong,
    Verdict,
    Violation,
)

CANONICAL_TYPE = "tartip-violation-decision-v1"
PEM_BYTES_MAX = 16 * 1024


def canonical_decision(
    violation: Violation, verdict: Verdict, *, officer: str, reason: str
) -> bytes:
    """Return the bytes that the officer signs: a JSON document (RFC 8785) of the decision and of
    the violation's current content."""
    return rfc8785.dumps(
        _warnings(violation)
        | {
            "type": CANONICAL_TYPE,
            "violation_id": str(violation.violation_id),
            "version": violation.version,
            "verdict": verdict.value.lower(),
            "reason": reason,
            "officer": officer,
            "source": violation.source.value.lower(),
            "camera_id": str(violation.camera_id or ""),
            "report_id": str(violation.report_id or ""),
            "region": violation.place.region,
            "place": _place(violation.place),
            "occurred_at": _text(violation.occurred_at),
            "plate": violation.plate.text,
            "offence": {
                "code": violation.offence.code,
                "article": violation.offence.article,
                "rules_version": violation.offence.rules_version,
                "rules_sha256": violation.offence.rules_sha256,
            },
            "over_kmh": "" if violation.over_kmh is None else str(violation.over_kmh),
            "readings": _readings(violation.readings),
            "device": _device(violation.device),
            "evidence_sha256": [frame.sha256 for frame in violation.frames],
            "original_sha256": list(violation.evidence_sha256),
            "models_fingerprint": violation.models_fingerprint,
        }
    )


class OfficerAuthority:
    """Verifies officers' signatures. An officer's certificate must have been issued directly by one
    of the given certificate authorities, and must not be on that authority's revocation list."""

    def __init__(
        self, authorities: list[x509.Certificate], revoked: RevocationList | None = None
    ) -> None:
        self._authorities = authorities
        self._revoked = revoked

    @classmethod
    def open(cls, path: Path) -> "OfficerAuthority":
        """Read the authorities from a PEM file. If there is a file of the same name with the suffix
        .crl, read the revocation list from that file.

        Raises CertificateUnusable if the PEM file is missing or one of the files is damaged.
        """
        require_certificates(path)
        return cls(x509.load_pem_x509_certificates(path.read_bytes()), RevocationList(path))

    def verify(
        self, *, officer: str, canonical: bytes, signature: bytes, pem: bytes, now: datetime
    ) -> None:
        """Verify that the certificate `pem` is trusted at `now` and issued to `officer`, and that
        `signature` is a signature of `canonical` by the certificate's key.

        Raises CertificateNotTrusted, CertificateRevoked, CertificateOfOtherOfficer or
        SignatureWrong.
        """
        certificate = _read(pem)
        if not any(_issued(certificate, authority, now) for authority in self._authorities):
            raise CertificateNotTrusted
        if self._revoked and self._revoked.revokes(frozenset((certificate.serial_number,))):
            raise CertificateRevoked
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


def _warnings(violation: Violation) -> dict[str, Any]:
    """Return the caution and the conflicts of which the officer was warned; {} if there are
    none."""
    caution = {"caution": violation.caution.value} if violation.caution else {}
    conflicting = [str(other) for other in violation.conflicting]
    return caution | ({"conflicting_violation_ids": conflicting} if conflicting else {})


def _place(place: Place) -> dict[str, Any]:
    return {
        "latitude": place.latitude,
        "longitude": place.longitude,
        "address": place.address,
    }


def _readings(readings: Readings | None) -> dict[str, Any]:
    if readings is None:
        return {}
    return {
        "device_serial": readings.device_serial,
        "device_time": _text(readings.device_time),
        "counter": str(readings.counter),
        "frame_sha256": readings.frame_sha256,
        "speed_kmh": readings.speed_kmh,
        "speed_limit_kmh": readings.speed_limit_kmh,
        "signal_phase": readings.signal_phase.lower(),
        "signal_age_seconds": readings.signal_age_seconds,
        "past_stop_line": readings.past_stop_line,
    }


def _device(device: Device | None) -> dict[str, Any]:
    if device is None:
        return {}
    return {
        "name": device.name,
        "serial": device.serial,
        "certificate_number": device.certificate_number,
        "verification_number": device.verification_number,
        "verification_from": _text(device.verification_from),
        "verification_until": _text(device.verification_until),
        "kind": device.kind.lower() or None,
        "tolerance_kmh": device.tolerance_kmh,
    }


def _text(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _read(pem: bytes) -> x509.Certificate:
    if len(pem) > PEM_BYTES_MAX:
        raise CertificateNotTrusted
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateNotTrusted from error


def _issued(certificate: x509.Certificate, authority: x509.Certificate, now: datetime) -> bool:
    """Whether this authority directly issued the certificate, both are valid at `now`, and the
    certificate is for signatures and not a CA."""
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
