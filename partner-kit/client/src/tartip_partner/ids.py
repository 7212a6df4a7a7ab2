"""Ids that the client makes: UUIDs of version 7 (RFC 9562), which begin with the time."""

import hashlib
import secrets
import time
from uuid import UUID

_TIME_BITS_FROM = 80
_VERSION_AND_VARIANT = 0x7 << 76 | 0b10 << 62
_RANDOM_BITS = ((1 << 128) - 1) ^ (((1 << 48) - 1) << 80) ^ (0xF << 76) ^ (0b11 << 62)


def new_id() -> str:
    """A new UUIDv7 in canonical form. Store it with the report before the report is sent."""
    milliseconds = time.time_ns() // 1_000_000
    return _uuid7(milliseconds, secrets.randbits(128))


def media_id_of(report_id: str, sha256: str) -> str:
    """The id of a picture, film or recording of a report: the same for the same content.

    The time in it is that of the report's id. An upload that is begun again after a restart has the
    same id, and so goes on where it stopped.
    """
    digest = hashlib.sha256(f"{report_id} {sha256}".encode()).digest()
    return _uuid7(UUID(report_id).int >> _TIME_BITS_FROM, int.from_bytes(digest[:16]))


def _uuid7(milliseconds: int, random: int) -> str:
    bits = milliseconds << _TIME_BITS_FROM | _VERSION_AND_VARIANT | random & _RANDOM_BITS
    return str(UUID(int=bits))
