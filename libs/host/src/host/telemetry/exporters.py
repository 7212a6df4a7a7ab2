"""Exporters of spans, metrics and logs by OTLP, over gRPC or over HTTP.

The exporters read headers, certificates and compression from the standard variables:
OTEL_EXPORTER_OTLP_HEADERS, _CERTIFICATE, _CLIENT_KEY, _CLIENT_CERTIFICATE and _COMPRESSION. Over
gRPC an address that begins with http:// is not encrypted.
"""

from dataclasses import dataclass

from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

GRPC = "grpc"
HTTP = "http/protobuf"
# A collector that is away must not hold up the end of a process.
TIMEOUT_SECONDS = 2


@dataclass(frozen=True)
class Destination:
    """A collector's address, such as http://127.0.0.1:4318, and the protocol to use with it."""

    endpoint: str
    protocol: str = HTTP

    def span_exporter(self) -> SpanExporter:
        """Return a new exporter of spans. Only the library of the chosen protocol is loaded."""
        if self.protocol == GRPC:
            from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as over_grpc

            return over_grpc.OTLPSpanExporter(endpoint=self.endpoint, timeout=TIMEOUT_SECONDS)
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as over_http

        return over_http.OTLPSpanExporter(self._url("traces"), timeout=TIMEOUT_SECONDS)

    def metric_exporter(self) -> MetricExporter:
        """Return a new exporter of metrics."""
        if self.protocol == GRPC:
            from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as over_grpc

            return over_grpc.OTLPMetricExporter(endpoint=self.endpoint, timeout=TIMEOUT_SECONDS)
        from opentelemetry.exporter.otlp.proto.http import metric_exporter as over_http

        return over_http.OTLPMetricExporter(self._url("metrics"), timeout=TIMEOUT_SECONDS)

    def log_exporter(self) -> LogRecordExporter:
        """Return a new exporter of log records."""
        if self.protocol == GRPC:
            from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as over_grpc

            return over_grpc.OTLPLogExporter(endpoint=self.endpoint, timeout=TIMEOUT_SECONDS)
        from opentelemetry.exporter.otlp.proto.http import _log_exporter as over_http

        return over_http.OTLPLogExporter(self._url("logs"), timeout=TIMEOUT_SECONDS)

    def _url(self, signal: str) -> str:
        return f"{self.endpoint.rstrip('/')}/v1/{signal}"
