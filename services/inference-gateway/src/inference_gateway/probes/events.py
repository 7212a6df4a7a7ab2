"""Builds the events that report degraded and recovered AI functions, as protobuf messages."""

from datetime import datetime

from chassis.clock import to_timestamp
from chassis.event import Event
from tartip.inference.v1 import events_pb2

from inference_gateway.probes.model import Found, Standing


def function_degraded(standing: Standing, found: Found, fingerprint: str) -> Event:
    message = events_pb2.FunctionDegraded(
        degradation_id=str(standing.degradation_id),
        function=_function(standing),
        since=to_timestamp(standing.since),
        probes=found.probes,
        right=found.right,
        right_at_least=found.right_at_least,
        slowest_seconds=found.slowest_seconds,
        slowest_allowed_seconds=found.slowest_allowed_seconds,
        models_fingerprint=fingerprint,
    )
    return Event("inference.v1.function_degraded", str(standing.degradation_id), 1, "", message)


def function_recovered(before: Standing, now: datetime, fingerprint: str) -> Event:
    message = events_pb2.FunctionRecovered(
        degradation_id=str(before.degradation_id),
        function=_function(before),
        since=to_timestamp(before.since),
        recovered_at=to_timestamp(now),
        models_fingerprint=fingerprint,
    )
    return Event("inference.v1.function_recovered", str(before.degradation_id), 2, "", message)


def _function(standing: Standing) -> "events_pb2.ProbedFunction.ValueType":
    return events_pb2.ProbedFunction.Value(f"PROBED_FUNCTION_{standing.function}")
