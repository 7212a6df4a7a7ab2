"""Reads are sampled; journeys, errors and refusals are always exported."""

from collections.abc import Iterator

import pytest
from chassis.telemetry import SpanKind, Status, StatusCode
from host.telemetry.sampling import TREE_MAX, JourneySampler, KeptAfterAll
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

LIST = {"rpc.method": "ListThings"}


class Mesh:
    """A process that samples by a ratio."""

    def __init__(self, ratio: float) -> None:
        self._exporter = InMemorySpanExporter()
        self._provider = TracerProvider(sampler=JourneySampler(ratio), shutdown_on_exit=False)
        self._provider.add_span_processor(KeptAfterAll(BatchSpanProcessor(self._exporter)))
        self.tracer: Tracer = self._provider.get_tracer("test")

    def serve(self, attributes: dict[str, str], *, parent: Context | None = None) -> Span:
        return self.tracer.start_span(
            "call", parent or Context(), SpanKind.SERVER, attributes=attributes
        )

    def exported(self) -> list[str]:
        self._provider.force_flush()
        return [span.name for span in self._exporter.get_finished_spans()]


@pytest.fixture
def none() -> Iterator[Mesh]:
    yield Mesh(0.0)


def called_with(flags: str) -> Context:
    header = f"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"
    return TraceContextTextMapPropagator().extract({"traceparent": header}, Context())


def within(span: Span) -> Context:
    return trace.set_span_in_context(span, Context())


@pytest.mark.parametrize("attributes", [LIST, {"http.request.method": "GET"}])
def test_a_read_of_many_is_left_out_with_all_that_it_caused(
    none: Mesh, attributes: dict[str, str]
) -> None:
    read = none.serve(attributes)
    none.tracer.start_span("query", within(read)).end()
    read.end()
    assert none.exported() == []
    everything = Mesh(1.0)
    everything.serve(attributes).end()
    assert everything.exported() == ["call"]


@pytest.mark.parametrize(
    "attributes", [{"rpc.method": "PayFine"}, {"http.request.method": "POST"}, {}]
)
def test_what_changes_something_is_never_left_out(none: Mesh, attributes: dict[str, str]) -> None:
    none.serve(attributes).end()
    assert none.exported() == ["call"]


@pytest.mark.parametrize("name", ["tartip.story", "tartip.order", "tartip.refusal", "error.type"])
def test_a_read_of_one_case_and_a_refused_or_failed_one_is_kept_after_all(
    none: Mesh, name: str
) -> None:
    read = none.serve(LIST)
    none.tracer.start_span("query", within(read)).end()
    read.set_attribute(name, "x")
    read.end()
    assert none.exported() == ["query", "call"]


def test_an_error_below_a_read_keeps_the_whole_tree(none: Mesh) -> None:
    read = none.serve(LIST)
    query = none.tracer.start_span("query", within(read))
    query.set_status(Status(StatusCode.ERROR, "gone"))
    query.end()
    read.end()
    assert none.exported() == ["query", "call"]


def test_a_caller_alone_identifies_no_case(none: Mesh) -> None:
    none.serve({**LIST, "tartip.caller": "service/x", "tartip.attempt": "1"}).end()
    assert none.exported() == []


def test_a_read_is_sampled_where_its_callers_trace_is(none: Mesh) -> None:
    none.serve(LIST, parent=called_with("00")).end()
    assert none.exported() == []
    none.serve(LIST, parent=called_with("01")).end()
    assert none.exported() == ["call"]


def test_a_caller_cannot_ask_that_a_change_be_left_out(none: Mesh) -> None:
    none.serve({"rpc.method": "PayFine"}, parent=called_with("00")).end()
    assert none.exported() == ["call"]


def test_a_long_stream_is_decided_on_in_parts(none: Mesh) -> None:
    stream = none.serve({"rpc.method": "WatchThings"})
    for _ in range(TREE_MAX):
        none.tracer.start_span("sent", within(stream)).end()
    failed = none.tracer.start_span("sent badly", within(stream))
    failed.set_attribute("error.type", "Gone")
    failed.end()
    stream.end()
    assert none.exported() == ["sent badly", "call"]


def test_of_reads_the_given_share_is_exported() -> None:
    half = Mesh(0.5)
    for _ in range(2000):
        half.serve(LIST).end()
    assert 800 < len(half.exported()) < 1200
