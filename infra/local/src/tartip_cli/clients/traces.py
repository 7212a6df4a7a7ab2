"""Records traces of the `tartip` commands. The trace of a case then begins with the command that
caused the case.

The traces are exported under the service name `tartip-cli`. Endpoint and protocol are those of the
services' traces.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from host.telemetry.exporters import HTTP, Destination
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tartip_cli.topology import COMMAND_LINE

_FLUSH_MS = 2000


@contextmanager
def traced(endpoint: str, protocol: str = HTTP) -> Iterator[None]:
    """Export the spans of the block to `endpoint` by OTLP. The end of the block waits at most two
    seconds for the remaining spans. Spans that are not exported by then may be lost."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": COMMAND_LINE, "service.namespace": "tartip"})
    )
    exporter = Destination(endpoint, protocol).span_exporter()
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=300))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.force_flush(_FLUSH_MS)


def current_trace_id() -> str:
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""
