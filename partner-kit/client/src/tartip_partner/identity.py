"""Who calls: the partner's certificate and key, and the authority that signs Tartip's servers."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import grpc

from tartip_partner.certificates import ends_at
from tartip_partner.errors import CertificateExpired

Source = str | os.PathLike[str] | bytes


@dataclass(frozen=True)
class Credentials:
    """One certificate with its key, and the authority, as bytes of PEM."""

    ca: bytes
    certificate: bytes
    key: bytes

    @cached_property
    def ends_at(self) -> datetime:
        return ends_at(self.certificate)

    def check(self) -> None:
        """Raise CertificateExpired if the certificate has ended."""
        if self.ends_at <= datetime.now(UTC):
            raise CertificateExpired(self.ends_at)

    def for_channel(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)


class Identity:
    """The partner's certificate, its key and the authority of the servers, in PEM.

    Each is a file or the bytes themselves. Files are looked at before every call and read again
    once they have changed, so that a renewed certificate is used without a restart.
    """

    def __init__(self, *, ca: Source, certificate: Source, key: Source) -> None:
        """Raises OSError for a file that cannot be read, ValueError for a certificate that is none.
        The key is looked at when a connection is made."""
        self._sources: tuple[Source, Source, Source] = (ca, certificate, key)
        self._lock = threading.Lock()
        self._stamps = _stamps(self._sources)
        self._credentials = _read(self._sources)

    def current(self) -> Credentials:
        """The newest certificate and key; those of before while the files cannot be read or hold no
        certificate, as in the middle of a renewal."""
        with self._lock:
            try:
                stamps = _stamps(self._sources)
                if stamps != self._stamps:
                    self._credentials, self._stamps = _read(self._sources), stamps
            except (OSError, ValueError):
                pass  # looked at again before the next call
            return self._credentials

    def replace(self, *, certificate: Source, key: Source) -> None:
        """Use another certificate and key from the next call on. Raises as the constructor does."""
        with self._lock:
            sources = (self._sources[0], certificate, key)
            stamps, credentials = _stamps(sources), _read(sources)
            self._sources, self._stamps, self._credentials = sources, stamps, credentials


def _stamps(sources: tuple[Source, ...]) -> tuple[tuple[int, int, int], ...]:
    """What changes when a file is written or replaced."""
    found = (Path(source).stat() for source in sources if not isinstance(source, bytes))
    return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found)


def _read(sources: tuple[Source, Source, Source]) -> Credentials:
    ca, certificate, key = (
        source if isinstance(source, bytes) else Path(source).read_bytes() for source in sources
    )
    ends_at(certificate)
    return Credentials(ca, certificate, key)
