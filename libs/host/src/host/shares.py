"""Shares of callers: what one partner, device, operator or service may use of one process.

A service gives quotas in its `build`, and may change them at any moment:

    chassis.share_by(partners.quota_of)   # quota_of(kind, name) -> Quota | None
"""

from collections.abc import Callable
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Quota:
    """What one caller may use of one process; the defaults are a partner's.

    After a pause a caller may use one second's worth of calls and bytes at once. Urgent calls have
    a reserve of their own, which a caller keeps when it has used up `calls` or its rate.
    """

    calls: int = 16  # at once
    calls_per_second: float = 50.0
    streams: int = 16  # at once
    bytes_per_second: int = 8 * MIB  # of requests
    urgent_calls: int = 4  # at once, beside `calls`
    urgent_calls_per_second: float = 10.0  # beside `calls_per_second`


# The quota of a kind ("partner", "device", "operator", "service") and name; None for the default of
# the kind. It is asked at every call, so it answers from memory.
QuotaOf = Callable[[str, str], Quota | None]


def no_quota(kind: str, name: str) -> None:
    """Return no quota for any caller: the defaults of the kinds apply."""
