"""The receiver's JSON is protobuf's own, except that the ids are hexadecimal."""

from __future__ import annotations

import base64
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from tartip_cli.telemetry.otlp_json import as_json

TRACE, SPAN, PARENT = bytes(range(16)), bytes(range(200, 208)), bytes(8)
IDS = ("traceId", "spanId", "parentSpanId")
VALUES = {
    "text": AnyValue(string_value="Сарыағаш"),
    "empty": AnyValue(string_value=""),
    "no": AnyValue(bool_value=False),
    "number": AnyValue(int_value=-(2**53) - 1),
    "share": AnyValue(double_value=0.25),
    "raw": AnyValue(bytes_value=b"\x00\xff"),
    "list": AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])),
    "pairs": AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k")])),
}


def traces() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for key, value in VALUES.items():
        resource.resource.attributes.add(key=key, value=value)
    span = resource.scope_spans.add().spans.add(
        trace_id=TRACE,
        span_id=SPAN,
        parent_span_id=PARENT,
        name="publish",
        kind=4,
        start_time_unix_nano=2**63,
        dropped_events_count=3,
    )
    span.status.MergeFrom(Status(message="no owner", code=Status.STATUS_CODE_ERROR))
    span.links.add(trace_id=TRACE, span_id=SPAN).attributes.add(key="x", value=VALUES["text"])
    span.events.add(name="retry", time_unix_nano=5)
    return request


def metrics() -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="age", unit="s")
    for value in (1.5, math.nan, math.inf, -math.inf, 0.0):
        metric.gauge.data_points.add(as_double=value, time_unix_nano=7)
    metric.gauge.data_points.add(as_int=-1)
    other = request.resource_metrics[0].scope_metrics[0].metrics.add(name="duration")
    point = other.histogram.data_points.add(count=3, sum=4.5, bucket_counts=[1, 0, 2])
    point.explicit_bounds.extend([0.5, 10.0])
    point.exemplars.add(trace_id=TRACE, span_id=SPAN, as_double=2.0)
    return request


def logs() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    record = (
        request.resource_logs.add()
        .scope_logs.add()
        .log_records.add(trace_id=TRACE, span_id=SPAN, severity_number=17, flags=1)
    )
    record.body.CopyFrom(VALUES["pairs"])
    return request


def with_ids_in_hex(value: Any) -> Any:
    if isinstance(value, list):
        return [with_ids_in_hex(each) for each in value]
    if isinstance(value, dict):
        return {
            key: base64.b64decode(each).hex() if key in IDS else with_ids_in_hex(each)
            for key, each in value.items()
        }
    return value


@pytest.mark.parametrize(
    "message", [traces(), metrics(), logs()], ids=["traces", "metrics", "logs"]
)
def test_it_is_the_json_of_protobuf(message: Message) -> None:
    expected = with_ids_in_hex(MessageToDict(message, use_integers_for_enums=True))
    assert as_json(message) == expected
