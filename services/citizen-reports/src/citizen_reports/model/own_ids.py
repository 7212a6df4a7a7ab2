"""Derived ids of reports, for the case that the apps of two partners chose the same id.

A report is stored under the id that its app chose, unless another partner already has a report
with this id. The later report is then stored under a derived id, and its app keeps using the chosen
id: a refusal would reveal that the other report exists. A derived id can be converted back.
"""

import hashlib
from uuid import UUID

# The highest bit of a UUIDv7's time, which no app may set: the year would be 6429.
_DERIVED = 1 << 127
# The random bits of a UUIDv7 (RFC 9562): 12 and 62 of them.
_RANDOM = ((1 << 12) - 1) << 64 | (1 << 62) - 1


def derived_id(report_id: UUID, partner: str) -> UUID:
    """Return the derived UUIDv7 under which a partner's report is stored if another partner has a
    report with the id that the app chose."""
    return UUID(int=report_id.int ^ _mask(partner) | _DERIVED)


def id_of_app(report_id: UUID, partner: str) -> UUID:
    """Return the id that the partner's app chose for the report stored under `report_id`, which may
    be a derived id."""
    if not report_id.int & _DERIVED:
        return report_id
    return UUID(int=report_id.int & ~_DERIVED ^ _mask(partner))


def _mask(partner: str) -> int:
    return int.from_bytes(hashlib.sha256(partner.encode()).digest()[:16]) & _RANDOM
