"""Certificate authorities: each kind of caller (service, partner, device) has its own.

The name in a certificate is valid only if the authority of the caller's kind signed the
certificate: an authority for outsiders must not be able to certify a service. TLS accepts the
certificates of all authorities; this module reads the kind in the certificate and verifies it.
"""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from chassis.identity import KINDS, caller_from_spiffe
from chassis.refusals import NotAuthenticated

KNOWN_MAX = 4096


class Authorities:
    """The certificate authorities by kind of caller, in PEM; several per kind during a rotation."""

    def __init__(self, pem: Mapping[str, bytes]) -> None:
        self._pem = dict(pem)
        self._verifiers = {
            kind: PolicyBuilder().store(Store(x509.load_pem_x509_certificates(content)))
            for kind, content in pem.items()
        }
        self._known: OrderedDict[bytes, tuple[str, str]] = OrderedDict()

    @classmethod
    def in_folder(cls, folder: Path) -> "Authorities":
        """Read `<kind>.pem` for each kind of caller.

        Raises OSError for an unreadable file, ValueError for a malformed one.
        """
        return cls({kind: (folder / f"{kind}.pem").read_bytes() for kind in KINDS})

    @property
    def bundle(self) -> bytes:
        """The certificates of all authorities in PEM, for the TLS handshake."""
        return b"\n".join(self._pem.values())

    def caller(self, chain: bytes) -> tuple[str, str]:
        """Return the kind and name of the caller whose certificate chain, in PEM, is given.

        The caller's certificate comes first, intermediate ones follow. Raises NotAuthenticated
        unless an authority of the caller's kind signed the first one.
        """
        known = self._known.get(chain)
        if known is None:
            known = self._known[chain] = self._verified(chain)
            if len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)
        return known

    def _verified(self, chain: bytes) -> tuple[str, str]:
        try:
            leaf, *others = x509.load_pem_x509_certificates(chain)
            kind, name = caller_from_spiffe(_uris(leaf))
            self._verifiers[kind].build_client_verifier().verify(leaf, others)
        except (ValueError, x509.ExtensionNotFound, VerificationError) as error:
            raise NotAuthenticated from error
        return kind, name


def _uris(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert isinstance(names.value, x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)
