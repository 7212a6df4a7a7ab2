"""Trace sampling: all calls that may change data are traced, and a given share of the reads.

A read is a call of a method List…, Get… and the like, or an HTTP GET. Each process records the tree
of spans of every call that it serves. It exports all spans at once, except those of an unsampled
read: a read outside the share, in a trace that its caller does not sample. The spans of such a read
are exported only if the read failed, was refused, or concerned one case, and only when their tree
has ended. A read concerns a case if the id of the case is among the attributes
(`chassis.telemetry.annotate`, `bind_story`). So errors and the steps of a case are always exported.
"""

from collections.abc import Sequence

from chassis.telemetry import ATTRIBUTES
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState
from opentelemetry.util.types import Attributes
from typing_extensions import override

READS = ("List", "Get", "Count", "Find", "Watch", "Prove")
HTTP_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# Attributes by which a span belongs to no case: all others of ours are ids.
OF_NO_CASE = ATTRIBUTES - {"tartip.story"}
# Of a tree with more spans, such as that of a long stream, so many at a time are decided on.
TREE_MAX = 256
_TRACE_BITS = 1 << 64  # of a trace id those that are random in every implementation


class JourneySampler(Sampler):
    """Samples all calls that are not reads, and the share `ratio` (0 to 1) of the traces of reads.

    A read in a trace that its caller samples is sampled too.
    """

    def __init__(self, ratio: float) -> None:
        self._bound = round(ratio * _TRACE_BITS)

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return RECORD_AND_SAMPLE to export a span at once, or RECORD_ONLY to decide later."""
        parent = trace.get_current_span(parent_context).get_span_context()
        if parent.is_valid and (parent.trace_flags.sampled or not parent.is_remote):
            sampled = bool(parent.trace_flags.sampled)
        else:
            is_read = kind is SpanKind.SERVER and _reads(attributes or {})
            sampled = not is_read or trace_id % _TRACE_BITS < self._bound
        decision = Decision.RECORD_AND_SAMPLE if sampled else Decision.RECORD_ONLY
        return SamplingResult(decision, attributes)

    def get_description(self) -> str:
        """Return the name and the ratio of this sampler."""
        return f"JourneySampler({self._bound / _TRACE_BITS})"


class KeptAfterAll(SpanProcessor):
    """Passes each sampled span to `inner` when it ends.

    Other spans wait until their tree has ended. They are passed on only if a span of the tree
    failed, was refused or concerns one case.
    """

    def __init__(self, inner: SpanProcessor) -> None:
        self._inner = inner
        self._root_of: dict[int, int] = {}
        self._trees: dict[int, list[ReadableSpan]] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note the root of the tree to which an unsampled span belongs in this process."""
        context, parent = span.get_span_context(), span.parent
        if context is None or context.trace_flags.sampled:
            return
        root = context.span_id
        if parent is not None and not parent.is_remote:
            root = self._root_of.get(parent.span_id, root)
        self._root_of[context.span_id] = root
        self._trees.setdefault(root, [])

    def on_end(self, span: ReadableSpan) -> None:
        """Pass on a sampled span at once; collect other spans until their tree has ended, then
        decide."""
        context = span.get_span_context()
        if context is None or context.trace_flags.sampled:
            self._inner.on_end(span)
            return
        root = self._root_of.pop(context.span_id, context.span_id)
        has_ended = root == context.span_id or root not in self._trees
        tree = self._trees.get(root, [])
        tree.append(span)
        if has_ended or len(tree) >= TREE_MAX:
            self._decide_on(tree)
            tree.clear()
        if has_ended:
            self._trees.pop(root, None)

    def _decide_on(self, tree: Sequence[ReadableSpan]) -> None:
        if any(_is_worth_keeping(span) for span in tree):
            for span in tree:
                self._inner.on_end(_sampled(span))

    def shutdown(self) -> None:
        """Shut down the inner processor."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the inner processor; return whether it finished in time."""
        return self._inner.force_flush(timeout_millis)


def _reads(attributes: Attributes) -> bool:
    found = attributes or {}
    if method := found.get("rpc.method"):
        return str(method).startswith(READS)
    return found.get("http.request.method") in HTTP_READS


def _is_worth_keeping(span: ReadableSpan) -> bool:
    attributes = span.attributes or {}
    if span.status.status_code is StatusCode.ERROR or "error.type" in attributes:
        return True
    if "tartip.refusal" in attributes:
        return True
    return any(key.startswith("tartip.") and key not in OF_NO_CASE for key in attributes)


def _sampled(span: ReadableSpan) -> ReadableSpan:
    """The same span, marked as sampled: processors drop any other."""
    context = span.get_span_context()
    assert context is not None
    return ReadableSpan(
        span.name,
        SpanContext(
            context.trace_id,
            context.span_id,
            context.is_remote,
            TraceFlags(TraceFlags.SAMPLED),
            context.trace_state,
        ),
        span.parent,
        span.resource,
        span.attributes,
        span.events,
        span.links,
        span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
