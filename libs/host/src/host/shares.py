"""Limits of callers: what one partner, device, operator or service may use of one process.

A service gives quotas in its `build`, and may change them at any moment:

    chassis.share_by(partners.quota_of)   # quota_of(kind, name) -> Quota | None

Each caller has limits of its own, far below those of the process, so that no caller can exhaust the
process for the others. The limits of a caller and of the process reserve room for urgent calls.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from chassis import telemetry
from chassis.identity import Caller
from chassis.refusals import Overloaded, Refusal, ShareExceeded

MIB = 1024 * 1024
CALLS_MAX = 80
# Of CALLS_MAX, for urgent calls alone.
URGENT_RESERVED = 8
# Those of four partners with a hundred each, and room.
STREAMS_MAX = 512
# What a caller that has paused may use at once, in seconds of its rate.
BURST_SECONDS = 2.0
RETRY_SECONDS = {"calls": 0.5, "urgent_calls": 0.5, "streams": 5.0}
RETRY_SECONDS_MAX = 60.0
# Refusals beyond these of one caller are held back: answering them is work too.
REFUSALS_PER_SECOND = 20.0
PAUSE_SECONDS_MAX = 5.0
# Beyond so many callers those are forgotten who have been idle longer than a bucket takes to fill.
CALLERS_MAX = 4096
IDLE_SECONDS = 10.0
# The rate that each limit of calls at once has beside it.
_RATES = {
    "calls": "calls_per_second",
    "streams": "calls_per_second",
    "urgent_calls": "urgent_calls_per_second",
}
shares_exceeded = telemetry.meter.create_counter("tartip.shares.exceeded", unit="{refusal}")


@dataclass(frozen=True)
class Quota:
    """The limits of one caller in one process; the defaults are a partner's.

    A caller that was idle may immediately use what its rates allow in two seconds. An urgent call
    beyond the other limits is admitted within `urgent_calls` and `urgent_calls_per_second`.
    """

    calls: int = 24  # at once
    calls_per_second: float = 50.0
    streams: int = 16  # at once
    bytes_per_second: int = 8 * MIB  # of requests
    urgent_calls: int = 4  # at once, beside `calls`
    urgent_calls_per_second: float = 10.0  # beside `calls_per_second`


DEFAULTS: Mapping[str, Quota] = {
    "partner": Quota(),
    "operator": Quota(
        calls=16, calls_per_second=100.0, streams=8, bytes_per_second=32 * MIB, urgent_calls=2
    ),
    # An edge box sends the frames of many cameras; the inference gateway queues by urgency.
    "device": Quota(
        calls=48, calls_per_second=100.0, streams=8, bytes_per_second=64 * MIB, urgent_calls=2
    ),
    "service": Quota(calls=64, calls_per_second=10_000.0, streams=64, bytes_per_second=512 * MIB),
}
# The quota of a kind ("partner", "device", "operator", "service") and name; None for the default of
# the kind. It is asked at every call, so it answers from memory.
QuotaOf = Callable[[str, str], Quota | None]


def no_quota(kind: str, name: str) -> None:
    """Return None for any caller, so that the default quota of the caller's kind applies."""


class Bucket:
    """A token bucket, full at first. The capacity is BURST_SECONDS times the rate, at least 1."""

    def __init__(self) -> None:
        self._spent, self._at = 0.0, 0.0

    def wait_seconds(self, amount: float, rate: float, now: float) -> float:
        """Return the seconds until the bucket holds `amount`, or its capacity if that is less.

        `rate` is in units per second, `now` in seconds; a rate of 0 gives RETRY_SECONDS_MAX.
        """
        capacity = max(rate * BURST_SECONDS, 1.0)
        self._refill(rate, now)
        missing = min(amount, capacity) - (capacity - self._spent)
        return max(0.0, missing / rate if rate > 0 else RETRY_SECONDS_MAX)

    def take(self, amount: float) -> None:
        """Take an amount from the bucket; the level may become negative, and rises again later."""
        self._spent += amount

    def _refill(self, rate: float, now: float) -> None:
        self._spent = max(0.0, self._spent - (now - self._at) * rate)
        self._at = now


@dataclass
class Share:
    """What one caller uses now: its running calls and streams, and a bucket for each rate."""

    used_at: float = 0.0
    running: Counter[str] = field(default_factory=Counter)
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def bucket(self, limit: str) -> Bucket:
        """Return the bucket of a rate, such as "calls_per_second"; it is created on first use."""
        return self.buckets.setdefault(limit, Bucket())


class Place:
    """An admitted call; it limits the rate at which a stream of requests is received."""

    def __init__(self, bucket: Bucket, rate: float, now: Callable[[], float]) -> None:
        self._bucket, self._rate, self._now = bucket, rate, now

    async def take(self, size: int) -> None:
        """Count a received message of `size` bytes; wait if it exceeds the caller's byte rate."""
        wait = self._bucket.wait_seconds(size, self._rate, self._now())
        self._bucket.take(size)
        await asyncio.sleep(wait)


class Shares:
    """Admits calls within the limits of each caller and of the process.

    `quota_of` returns a caller's limits, or None for the default of the caller's kind; `now`
    returns a monotonic time in seconds.
    """

    def __init__(
        self,
        quota_of: QuotaOf = no_quota,
        *,
        calls_max: int = CALLS_MAX,
        urgent_reserved: int = URGENT_RESERVED,
        streams_max: int = STREAMS_MAX,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quota_of = quota_of
        self._calls_max, self._streams_max = calls_max, streams_max
        self._urgent_reserved = urgent_reserved
        self._now = now
        self._calls = self._streams = 0
        self._shares: dict[tuple[str, str], Share] = {}

    @contextmanager
    def place(self, caller: Caller, size: int, *, stream: bool, urgent: bool) -> Iterator[Place]:
        """Admit a call with a request of `size` bytes, and count it while the block runs.

        Raises ShareExceeded for the caller's own limits, Overloaded for those of the process.
        """
        kind, name = caller.scope.kind, caller.scope.name
        quota = self._quota_of(kind, name) or DEFAULTS[kind]
        share = self._share(kind, name)
        try:
            lane = self._lane(share, quota, size, stream=stream, urgent=urgent)
        except Refusal as refusal:
            limit = refusal.facts.get("limit", "process")
            shares_exceeded.add(1, {"kind": kind, "limit": limit})
            raise
        share.bucket(_RATES[lane]).take(1)
        share.bucket("bytes_per_second").take(size)
        self._count(share, lane, 1)
        try:
            yield Place(share.bucket("bytes_per_second"), quota.bytes_per_second, self._now)
        finally:
            self._count(share, lane, -1)

    def _lane(self, share: Share, quota: Quota, size: int, *, stream: bool, urgent: bool) -> str:
        """Return the limit under which the call runs. Raises ShareExceeded or Overloaded."""
        lane = "streams" if stream else "calls"
        exceeded = self._exceeded(share, quota, lane, size)
        if exceeded and urgent and not stream:
            lane = "urgent_calls"
            exceeded = self._exceeded(share, quota, lane, 0)
        if exceeded:
            exceeded.pause_seconds = self._pause_seconds(share)
            raise exceeded
        room = self._calls_max - (0 if urgent else self._urgent_reserved)
        if (self._streams >= self._streams_max) if stream else (self._calls >= room):
            raise Overloaded
        return lane

    def _exceeded(self, share: Share, quota: Quota, lane: str, size: int) -> ShareExceeded | None:
        at_once: int = getattr(quota, lane)
        if share.running[lane] >= at_once:
            return ShareExceeded(lane, at_once, RETRY_SECONDS[lane])
        for limit, amount in ((_RATES[lane], 1), ("bytes_per_second", size)):
            rate: float = getattr(quota, limit)
            wait = share.bucket(limit).wait_seconds(amount, rate, self._now()) if amount else 0.0
            if wait > 0.0:
                return ShareExceeded(limit, rate, min(wait, RETRY_SECONDS_MAX))
        return None

    def _pause_seconds(self, share: Share) -> float:
        """Return how long a refusal is held back: not at all while there are few.

        Where it is as long as it may be, it is not the same for all: who is answered calls again,
        and would come with all the others at once.
        """
        refusals = share.bucket("refusals")
        wait = refusals.wait_seconds(1, REFUSALS_PER_SECOND, self._now())
        if wait < PAUSE_SECONDS_MAX:
            refusals.take(1)
            return wait
        return random.uniform(PAUSE_SECONDS_MAX / 2, PAUSE_SECONDS_MAX)

    def _count(self, share: Share, lane: str, change: int) -> None:
        share.running[lane] += change
        if lane == "streams":
            self._streams += change
        else:
            self._calls += change

    def _share(self, kind: str, name: str) -> Share:
        found, now = self._shares.get((kind, name)), self._now()
        if found is None:
            if len(self._shares) >= CALLERS_MAX:
                self._forget_idle(now)
            found = self._shares[kind, name] = Share()
        found.used_at = now
        return found

    def _forget_idle(self, now: float) -> None:
        self._shares = {
            key: share
            for key, share in self._shares.items()
            if any(share.running.values()) or now - share.used_at < IDLE_SECONDS
        }
