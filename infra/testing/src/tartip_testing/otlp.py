"""OTLP receivers for tests, over gRPC (with or without TLS) and HTTP. They store what they
receive."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

_REQUESTS: dict[str, type[Message]] = {
    "traces": traces.ExportTraceServiceRequest,
    "metrics": metrics.ExportMetricsServiceRequest,
    "logs": logs.ExportLogsServiceRequest,
}


class Received:
    """The messages that a receiver got, by signal ("traces", "metrics", "logs").

    The field `headers` has the headers of each request. The field `endpoint` is the receiver's URL.
    """

    def __init__(self) -> None:
        self.endpoint = ""
        self.headers: list[dict[str, str]] = []
        self._messages: dict[str, list[Any]] = {signal: [] for signal in _REQUESTS}
        self._lock = threading.Lock()

    def add(self, signal: str, message: Any, headers: dict[str, str]) -> None:
        with self._lock:
            self._messages[signal].append(message)
            self.headers.append(headers)

    def spans(self) -> list[tuple[str, Any]]:
        """Return all received spans, each as (service name, span)."""
        return [
            (service_of(resource), span)
            for message in self._of("traces")
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def records(self) -> list[tuple[str, Any]]:
        """Return all received log records, each as (service name, log record)."""
        return [
            (service_of(resource), record)
            for message in self._of("logs")
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def metrics(self) -> list[tuple[str, Any]]:
        """Return the received metrics, each as (service name, metric). A metric that was exported
        several times is returned several times."""
        return [
            (service_of(resource), metric)
            for message in self._of("metrics")
            for resource in message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    def resources(self) -> list[dict[str, Any]]:
        """Return the attributes of all resources in the received messages, each as a dict."""
        return [
            attributes_of(part.resource)
            for signal, parts in (
                ("traces", "resource_spans"),
                ("metrics", "resource_metrics"),
                ("logs", "resource_logs"),
            )
            for message in self._of(signal)
            for part in getattr(message, parts)
        ]

    def content(self) -> bytes:
        """Return all messages in binary form. The UTF-8 bytes of a text can be searched for in the
        result."""
        return b"\n".join(
            message.SerializeToString() for signal in _REQUESTS for message in self._of(signal)
        )

    def _of(self, signal: str) -> list[Any]:
        with self._lock:
            return list(self._messages[signal])


def attributes_of(holder: Any) -> dict[str, Any]:
    """Return the attributes of an OTLP resource, span, data point or log record, by name."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in holder.attributes
    }


def service_of(resource: Any) -> str:
    return str(attributes_of(resource.resource)["service.name"])


@contextmanager
def receiving_grpc(certificate: tuple[bytes, bytes] | None = None) -> Iterator[Received]:
    """Run an OTLP receiver over gRPC during the block, and yield what it receives.

    If `certificate` is given, the receiver uses TLS. `certificate` has the private key and the
    certificate chain, in PEM.
    """
    received = Received()
    server = grpc.server(ThreadPoolExecutor(4))
    for signal, module, add in (
        ("traces", traces, traces_grpc.add_TraceServiceServicer_to_server),
        ("metrics", metrics, metrics_grpc.add_MetricsServiceServicer_to_server),
        ("logs", logs, logs_grpc.add_LogsServiceServicer_to_server),
    ):
        add(_Servicer(received, signal, module), server)  # type: ignore[no-untyped-call]
    if certificate is None:
        port, scheme = server.add_insecure_port("127.0.0.1:0"), "http"
    else:
        credentials = grpc.ssl_server_credentials([certificate])
        port, scheme = server.add_secure_port("127.0.0.1:0", credentials), "https"
    received.endpoint = f"{scheme}://127.0.0.1:{port}"
    server.start()
    try:
        yield received
    finally:
        server.stop(0.5).wait()


class _Servicer:
    """The one method `Export` that the three services of OTLP have."""

    def __init__(self, received: Received, signal: str, module: Any) -> None:
        self._received, self._signal = received, signal
        name = signal.capitalize().removesuffix("s") if signal == "traces" else signal.capitalize()
        self._response = getattr(module, f"Export{name}ServiceResponse")

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        self._received.add(self._signal, request, headers)
        return self._response()


@contextmanager
def receiving_http() -> Iterator[Received]:
    """Run an OTLP receiver over HTTP during the block, and yield what it receives. Requests are
    protobuf, with or without gzip."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            signal = self.path.rpartition("/")[2]
            message = _REQUESTS[signal]()
            message.ParseFromString(body)
            headers = {key.lower(): value for key, value in self.headers.items()}
            received.add(signal, message, headers)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
