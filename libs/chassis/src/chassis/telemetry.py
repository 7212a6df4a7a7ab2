"""Traces and metrics by OTLP, logs as JSON lines on stdout, none of them with personal data.

Span attributes are limited to an allow-list of keys (ids and names of methods, never values of
fields). Exceptions are recorded by type and place, since their text may quote a database row.
"""

import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token

from opentelemetry import metrics, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanContext
from opentelemetry.trace import SpanKind as SpanKind
from opentelemetry.trace import Status as Status
from opentelemetry.trace import StatusCode as StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

ATTRIBUTES = frozenset(
    {
        "rpc.system",
        "rpc.service",
        "rpc.method",
        "rpc.grpc.status_code",
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "messaging.system",
        "messaging.destination.name",
        "messaging.message.id",
        "error.type",
        "peer.service",
        "tartip.story",
        "tartip.caller",
        "tartip.refusal",
        "tartip.event",
        "tartip.attempt",
    }
)

UUID_SHAPE = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

log = logging.getLogger(__name__)
_ids: dict[str, re.Pattern[str]] = {}
tracer = trace.get_tracer("tartip")
meter = metrics.get_meter("tartip")
_propagator = TraceContextTextMapPropagator()
_story: ContextVar[str] = ContextVar("story", default="")

rpc_duration = meter.create_histogram("tartip.rpc.server.duration", unit="ms")
refusals_total = meter.create_counter("tartip.refusals")
events_published = meter.create_counter("tartip.events.published")
events_consumed = meter.create_counter("tartip.events.consumed")
dead_letters_total = meter.create_counter("tartip.events.dead_letters")
outbox_age = meter.create_gauge("tartip.outbox.oldest_unpublished", unit="s")


class JsonLines(logging.Formatter):
    """A log formatter: one JSON object per record, on one line, with the trace id."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON, with only the type and place of an exception."""
        context = trace.get_current_span().get_span_context()
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": _message(record),
        }
        if context.is_valid:
            line["trace_id"] = f"{context.trace_id:032x}"
        if record.exc_info and record.exc_info[0]:
            line["error_type"] = record.exc_info[0].__name__
            line["where"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])[-8:]
            ]
        return json.dumps(line, ensure_ascii=False)


def _message(record: logging.LogRecord) -> str:
    """The message; for asyncio its first line, as an exception text that may hold a row follows."""
    text = record.getMessage()
    return text.partition("\n")[0] if record.name == "asyncio" else text


def set_up(service: str, *, endpoint: str, log_level: str) -> None:
    """Set up logs, traces and metrics, once per process. An empty endpoint exports nothing."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(level=log_level, handlers=[handler], force=True)
    for chatty in ("httpx", "nats", "opentelemetry", "grpc"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    resource = Resource.create({"service.name": service, "service.namespace": "tartip"})
    # Whatever the caller's traceparent asks for: a stranger must not be able to act unseen.
    provider = TracerProvider(resource=resource, sampler=ALWAYS_ON)
    readers = []
    if endpoint:
        base = endpoint.rstrip("/")
        provider.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(endpoint=f"{base}/v1/traces", timeout=2),
                max_queue_size=4096,
                schedule_delay_millis=500,
                max_export_batch_size=128,
            )
        )
        readers.append(
            PeriodicExportingMetricReader(
                OTLPMetricExporter(endpoint=f"{base}/v1/metrics", timeout=2),
                export_interval_millis=15_000,
            )
        )
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=readers))


def shut_down(bound_seconds: float = 3.0) -> None:
    """Flush traces and metrics, waiting at most `bound_seconds` even if the collector is away."""

    def flush() -> None:
        for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
            stop = getattr(provider, "shutdown", None)
            if stop is not None:
                stop()

    worker = threading.Thread(target=flush, daemon=True)
    worker.start()
    worker.join(bound_seconds)


def register_ids(shapes: Mapping[str, str]) -> None:
    """Register ids that `annotate` may set: for each name, a regular expression for the values.

    Matching keeps arbitrary text, which a URL may contain in place of an id, out of spans.
    """
    _ids.update({name: re.compile(shape) for name, shape in shapes.items()})


def annotate(**ids: str) -> None:
    """Set ids as attributes of the current span: `annotate(order=number)` sets tartip.order.

    An id that is not registered, or does not match its registered expression, is left out.
    """
    span = trace.get_current_span()
    for name, value in ids.items():
        shape = _ids.get(name)
        if shape is None:
            log.error("span id %s is not named in Service.ids", name)
        elif shape.fullmatch(value):
            span.set_attribute(f"tartip.{name}", value)


def set_attribute(span: Span, key: str, value: str | int | float) -> None:
    """Set an attribute of a span. Raises ValueError for a key that is not in ATTRIBUTES."""
    span.set_attributes(_allowed({key: value}))


def _allowed(attributes: Mapping[str, str | int | float]) -> Mapping[str, str | int | float]:
    """The same attributes. Raises ValueError for a key that is not in ATTRIBUTES."""
    if wrong := attributes.keys() - ATTRIBUTES:
        raise ValueError(f"span attributes {wrong} are not in telemetry.ATTRIBUTES")
    return attributes


def current_story() -> str:
    """The current story (correlation id): the bound one, else the trace id, else ""."""
    if bound := _story.get():
        return bound
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def bound_story() -> str:
    """The story (correlation id) to which this call was bound; "" if none."""
    return _story.get()


def bind_story(story: str) -> None:
    """Bind the rest of this call to an earlier story (correlation id); "" changes nothing.

    A payment, for example, is bound to the story of its fine.
    """
    if story:
        _story.set(story)
        set_attribute(trace.get_current_span(), "tartip.story", story)


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
    links: list[Link] | None = None,
    story: str = "",
    attributes: Mapping[str, str | int] | None = None,
) -> Iterator[Span]:
    """Run the block in a new span. If the block raises, the span records only the error's type.

    The block is bound to `story`, a correlation id; "" stands for none.
    """
    given = {**(attributes or {}), **({"tartip.story": story} if story else {})}
    current = tracer.start_span(name, parent, kind, _allowed(given), links)
    attached, token = attach(trace.set_span_in_context(current)), _story.set(story)
    try:
        yield current
    except BaseException as error:
        set_attribute(current, "error.type", type(error).__name__)
        current.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        _reset(token)
        detach(attached)
        current.end()


def begin(
    name: str,
    *,
    kind: SpanKind,
    parent: Context,
    attributes: Mapping[str, str | int],
) -> Span:
    """Start a span that is current for the rest of this task; the caller must end it.

    Use it instead of `span` for streams: a stream's generator may be closed by another task, which
    could not restore the context of this one.
    """
    started = tracer.start_span(name, parent, kind, _allowed(attributes))
    attach(trace.set_span_in_context(started, parent))
    return started


def _reset(token: Token[str]) -> None:
    # A generator may be closed from another task; its context is gone anyway.
    with suppress(ValueError):
        _story.reset(token)


def traceparent() -> str:
    """The current span as a W3C traceparent header; "" if there is no span."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


def context_from(traceparent_header: str) -> Context:
    """The context that a traceparent header names; an empty context if it is malformed."""
    return _propagator.extract({"traceparent": traceparent_header}, context=Context())


def link_to(traceparent_header: str) -> list[Link]:
    """A link to the span that a traceparent header names; an empty list if it is malformed."""
    context: SpanContext = trace.get_current_span(
        context_from(traceparent_header)
    ).get_span_context()
    return [Link(context)] if context.is_valid else []
