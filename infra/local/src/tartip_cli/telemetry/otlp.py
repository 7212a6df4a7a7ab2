"""The embedded OTLP receiver (HTTP, protobuf, gzip). It stores spans, logs and the newest metrics.

The receiver takes the place of an OpenTelemetry collector. It does not run if
`OTEL_EXPORTER_OTLP_ENDPOINT` is set. `Receiver.newest` returns the metrics for the supervisor's
Prometheus endpoint.
"""

from __future__ import annotations

import gzip
import time
import zlib
from typing import Any

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tartip_cli.telemetry.otlp_json import as_json
from tartip_cli.telemetry.spans import SpanFiles

_MAX_BODY_BYTES = 16 * 1024 * 1024
_PROTOBUF = "application/x-protobuf"
# Processes export every 15 seconds: one that has not for so long has ended.
_NEWEST_SECONDS = 60.0


class Refused(Exception):
    """The body of a request is not OTLP, or is too large."""


class Receiver:
    """Receives OTLP over HTTP. Spans and logs are stored in files, the newest metrics in memory."""

    def __init__(self, spans: SpanFiles, logs_to: SpanFiles) -> None:
        self._spans = spans
        self._logs = logs_to
        self._metrics: dict[tuple[str, str], dict[str, Any]] = {}
        self._newest: dict[tuple[str, str], tuple[float, ResourceMetrics]] = {}

    def newest(self) -> list[ResourceMetrics]:
        """Return the last exported metrics of each process that exported any in the last minute."""
        since = time.monotonic() - _NEWEST_SECONDS
        self._newest = {key: found for key, found in self._newest.items() if found[0] > since}
        return [resource for _, resource in self._newest.values()]

    def routes(self) -> list[Route]:
        return [
            Route("/v1/traces", self._traces, methods=["POST"]),
            Route("/v1/metrics", self._accept_metrics, methods=["POST"]),
            Route("/v1/metrics", self._last_metrics, methods=["GET"]),
            Route("/v1/logs", self._accept_logs, methods=["POST"]),
        ]

    async def _traces(self, request: Request) -> Response:
        return await self._store(request, traces.ExportTraceServiceRequest(), self._spans)

    async def _accept_logs(self, request: Request) -> Response:
        return await self._store(request, logs.ExportLogsServiceRequest(), self._logs)

    async def _accept_metrics(self, request: Request) -> Response:
        message = metrics.ExportMetricsServiceRequest()
        try:
            message.ParseFromString(await _body(request))
        except (Refused, DecodeError) as error:
            return Response(str(error), status_code=400)
        for resource in message.resource_metrics:
            service = _attribute(resource, "service.name") or "unknown"
            instance = _attribute(resource, "service.instance.id")
            self._newest[service, instance] = (time.monotonic(), resource)
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self._metrics[service, metric.name] = as_json(metric)
        return Response(b"", media_type=_PROTOBUF)

    async def _last_metrics(self, _: Request) -> JSONResponse:
        values = [{"service": key[0], **metric} for key, metric in sorted(self._metrics.items())]
        return JSONResponse({"metrics": values})

    async def _store(self, request: Request, message: Message, files: SpanFiles) -> Response:
        try:
            message.ParseFromString(await _body(request))
        except (Refused, DecodeError) as error:
            return Response(str(error), status_code=400)
        try:
            files.append(as_json(message))
        except OSError as error:
            # The sender may retry: a full disk may have space again soon.
            return Response(error.strerror or "cannot write", status_code=503)
        return Response(b"", media_type=_PROTOBUF)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise Refused("the body is too large")
    if request.headers.get("content-encoding", "identity") != "gzip":
        return bytes(body)
    try:
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        content = unpacker.decompress(bytes(body), _MAX_BODY_BYTES)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise Refused("the body is not gzip") from error
    if unpacker.unconsumed_tail:
        raise Refused("the body is too large")
    return content


def _attribute(resource: ResourceMetrics, key: str) -> str:
    """A text attribute of a resource; "" if it has none of this key."""
    for attribute in resource.resource.attributes:
        if attribute.key == key:
            return str(attribute.value.string_value)
    return ""
