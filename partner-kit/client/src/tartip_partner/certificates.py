"""When a certificate ends, read from its PEM with the standard library alone."""

import re
import ssl
from datetime import UTC, datetime

_BLOCK = re.compile(
    r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL | re.ASCII
)
_EXPLICIT_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18


def ends_at(pem: bytes) -> datetime:
    """The moment (UTC) at which the first certificate in `pem` ends.

    Raises ValueError if there is no certificate that can be read.
    """
    block = _BLOCK.search(pem.decode("ascii", "replace"))
    if block is None:
        raise ValueError("there is no certificate in PEM")
    try:
        return _not_after(ssl.PEM_cert_to_DER_cert(block[0]))
    except IndexError as error:
        raise ValueError("the certificate is cut") from error


def _not_after(der: bytes) -> datetime:
    """Certificate → tbsCertificate → validity → notAfter (RFC 5280, 4.1)."""
    _, certificate, _ = _element(der, 0)
    _, at, _ = _element(der, certificate)
    tag, _, end = _element(der, at)
    if tag == _EXPLICIT_VERSION:
        at = end
    for _skipped in ("serialNumber", "signature", "issuer"):
        _, _, at = _element(der, at)
    _, validity, _ = _element(der, at)
    _, _, not_after = _element(der, validity)
    tag, start, end = _element(der, not_after)
    text = der[start:end].decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if text[:2] < "50" else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("the certificate has no end")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """The tag of the element at `at`, where its content begins, and where it ends."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(der[start : start + size]), start + size
    if start + length > len(der):
        raise IndexError
    return tag, start, start + length
