"""Spans and metrics without personal data; `host.telemetry` exports them, and also the logs.

Span attributes are limited to an allow-list of keys (ids and names of methods, never values of
fields). Exceptions are recorded by type and place, since their text may quote a database row.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token

from opentelemetry import metrics, trace
from opentelemetry.context import Context, attach, detach, get_current, get_value, set_value
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
_EVENT = "tartip.event"

log = logging.getLogger(__name__)
_ids: dict[str, re.Pattern[str]] = {}
tracer = trace.get_tracer("tartip")
meter = metrics.get_meter("tartip")
_propagator = TraceContextTextMapPropagator()
_story: ContextVar[str] = ContextVar("story", default="")

# Every metric is described in infra/otel/metrics.yaml.
refusals_total = meter.create_counter("tartip.refusals", unit="{refusal}")


def register_ids(shapes: Mapping[str, str]) -> None:
    """Register ids that `annotate` may set: for each name, a regular expression for the values.

    A value must match as a whole, since a URL may have any text in the place of an id.
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
    """Return the story (correlation id) that was bound to this call, else the trace id, else ""."""
    if bound := _story.get():
        return bound
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def bound_story() -> str:
    """Return the story (correlation id) that was bound to this call; "" if none."""
    return _story.get()


def bind_story(story: str) -> None:
    """Bind the rest of this call to an existing story (correlation id); "" changes nothing.

    A payment, for example, is bound to the story of its fine.
    """
    if story:
        _story.set(story)
        set_attribute(trace.get_current_span(), "tartip.story", story)


@contextmanager
def about(traceparent_header: str, *, event: str = "") -> Iterator[None]:
    """In the block, log lines carry the trace of a W3C traceparent header and the id of an event.

    No span is opened. If the header is malformed, the lines keep the current trace.
    """
    remote = trace.get_current_span(context_from(traceparent_header))
    context = set_value(_EVENT, event, get_current())
    if remote.get_span_context().is_valid:
        context = trace.set_span_in_context(remote, context)
    token = attach(context)
    try:
        yield
    finally:
        detach(token)


def current_event() -> str:
    """Return the event id given to the enclosing `about` block; "" if there is none."""
    return str(get_value(_EVENT) or "")


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
    """Yield a new span, in which the block runs; if it raises, only the error's type is recorded.

    `story` is the block's correlation id or "". Raises ValueError for keys not in ATTRIBUTES.
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

    Use it instead of `span` in generators that stream. Another task may close such a generator, and
    that task cannot restore this task's context. Raises ValueError for keys not in ATTRIBUTES.
    """
    started = tracer.start_span(name, parent, kind, _allowed(attributes))
    attach(trace.set_span_in_context(started, parent))
    return started


def _reset(token: Token[str]) -> None:
    # A generator may be closed from another task; its context is gone anyway.
    with suppress(ValueError):
        _story.reset(token)


def traceparent() -> str:
    """Return a W3C traceparent header for the current span; "" if there is no span."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


def context_from(traceparent_header: str) -> Context:
    """Return the context that a traceparent header names; an empty one if it is malformed."""
    return _propagator.extract({"traceparent": traceparent_header}, context=Context())


def link_to(traceparent_header: str) -> list[Link]:
    """Return a list with a link to the span in a traceparent header; empty if it is malformed."""
    context: SpanContext = trace.get_current_span(
        context_from(traceparent_header)
    ).get_span_context()
    return [Link(context)] if context.is_valid else []
