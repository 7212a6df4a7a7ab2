"""Ids of reports that two partners chose alike.

A report has the id that its app made, unless another partner has a report with this id. The later
one is then stored under an id that is kept apart, and its app goes on using its own: refusing it
would tell that the other report exists. An id that is kept apart tells the app's id again.
"""

import hashlib
from uuid import UUID

# The highest bit of a UUIDv7's time, which no app may set: the year would be 6429.
_APART = 1 << 127
# What is random in a UUIDv7 (RFC 9562): 12 and 62 bits.
_RANDOM = ((1 << 12) - 1) << 64 | (1 << 62) - 1


def kept_apart(report_id: UUID, partner: str) -> UUID:
    """Return the UUIDv7 under which the partner's report is stored if another partner has a report
    with the id that the app made."""
    return UUID(int=report_id.int ^ _mask(partner) | _APART)


def id_of_app(report_id: UUID, partner: str) -> UUID:
    """Return the id that the partner's app made for the report that is stored under `report_id`."""
    if not report_id.int & _APART:
        return report_id
    return UUID(int=report_id.int & ~_APART ^ _mask(partner))


def _mask(partner: str) -> int:
    return int.from_bytes(hashlib.sha256(partner.encode()).digest()[:16]) & _RANDOM
