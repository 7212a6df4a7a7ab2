"""How long calls took at the server, by method and status: `rpc.server.call.duration`.

Name, labels and buckets are those of the OpenTelemetry semantic conventions.
"""

from functools import cache
from typing import Any

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


def status_of(reply: Any) -> str:
    """The name of the status with which a call ends that is answered so, or refused."""
    return reply.kind.grpc_status.name if isinstance(reply, Refusal) else OK


def status_of_cut(context: grpc.aio.ServicerContext) -> str:
    """The status of a call that was cut off: by its deadline, or by a caller that gave it up."""
    left = context.time_remaining()
    return CANCELLED if left is None or left > 0 else TOO_LATE


def measure_call(method: str, status: str, seconds: float) -> None:
    """Record a call of a method ("/package.Service/Method") that ended with a gRPC status."""
    call_duration.record(seconds, _labels(method, status))


@cache
def _labels(method: str, status: str) -> dict[str, str]:
    labels = {
        "rpc.system.name": "grpc",
        "rpc.method": method.removeprefix("/"),
        "rpc.response.status_code": status,
    }
    return {**labels, "error.type": status} if status in FAULTS else labels
