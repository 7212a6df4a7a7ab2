"""How long the client waits for an answer, and when it repeats a request."""

from __future__ import annotations

import random
from dataclasses import dataclass

import grpc

from tartip_partner.errors import MessageTooLarge, Refused

# Of these nobody knows whether the request was carried out, or it was not and will be later.
_REPEATED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_DOUBLINGS_MAX = 16


@dataclass(frozen=True, kw_only=True)
class Retries:
    """Deadlines and pauses, in seconds.

    Each attempt has the deadline `call_seconds` (`piece_seconds` for a piece of an upload). An
    attempt without an answer is repeated after a pause. The pause begins at `first_pause_seconds`,
    doubles up to `longest_pause_seconds`, and is shortened by up to a half at random, so that
    clients do not come back all at once. Where the service says how long to wait, the pause is that
    and up to a tenth more. A request with its repetitions ends after `total_seconds`.
    """

    call_seconds: float = 3.0
    piece_seconds: float = 15.0
    total_seconds: float = 60.0
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 10.0

    def pause(self, repetitions: int, retry_after: float | None = None) -> float:
        """Seconds until the same request is sent again; `repetitions` is how often it was before,
        `retry_after` the delay in seconds that the service named."""
        if retry_after is not None:
            return retry_after * random.uniform(1.0, 1.1)
        doubled = self.first_pause_seconds * (1 << min(repetitions, _DOUBLINGS_MAX))
        return min(self.longest_pause_seconds, doubled) * random.uniform(0.5, 1.0)


def check_repeatable(refused: Refused) -> None:
    """Raise unless the same request may be sent again.

    Raises MessageTooLarge for a RESOURCE_EXHAUSTED without a name, which is gRPC's own, and
    `refused` itself for every other status that a repetition cannot change.
    """
    if refused.status is grpc.StatusCode.RESOURCE_EXHAUSTED and not refused.is_named:
        raise MessageTooLarge("the request is larger than gRPC lets through") from refused
    if refused.status not in _REPEATED:
        raise refused
