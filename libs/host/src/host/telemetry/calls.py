"""The metric `rpc.server.call.duration`: how long the server took for calls, by method and status.

Name, labels and buckets are those of the OpenTelemetry semantic conventions.
"""

import time
from functools import cache
from typing import Any, Self

import grpc
from chassis.refusals import Refusal
from chassis.telemetry import meter

OK, CANCELLED, TOO_LATE = "OK", "CANCELLED", "DEADLINE_EXCEEDED"
# The statuses whose cause is the server, not what the caller asked.
FAULTS = frozenset(
    {
        "UNKNOWN",
        "DEADLINE_EXCEEDED",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
    }
)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

call_duration = meter.create_histogram(
    "rpc.server.call.duration", unit="s", explicit_bucket_boundaries_advisory=SECONDS
)


class MeasuredCall:
    """A context manager that records the duration and status of one call when its block ends.

    The method is "/package.Service/Method". If `answered` was not called, the status is
    DEADLINE_EXCEEDED if the deadline has passed, else CANCELLED.
    """

    def __init__(
        self, method: str, context: grpc.aio.ServicerContext, *, left_out: bool = False
    ) -> None:
        self._method = method
        self._context = context
        self._left_out = left_out
        self._status = ""

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        return self

    def answered(self, reply: Any) -> None:
        """Set the status to record: that of a `Refusal`, or OK for any other reply."""
        self._status = reply.kind.grpc_status.name if isinstance(reply, Refusal) else OK

    def __exit__(self, *_: object) -> None:
        if not self._left_out:
            passed = time.perf_counter() - self._started
            call_duration.record(passed, _labels(self._method, self._status or self._cut_off()))

    def _cut_off(self) -> str:
        left = self._context.time_remaining()
        return CANCELLED if left is None or left > 0 else TOO_LATE


@cache
def _labels(method: str, status: str) -> dict[str, str]:
    labels = {
        "rpc.system.name": "grpc",
        "rpc.method": method.removeprefix("/"),
        "rpc.response.status_code": status,
    }
    return {**labels, "error.type": status} if status in FAULTS else labels
