"""Finds a story: all traces that belong to one case (a report, violation or fine).

The first delivery of an event continues the first trace of the story. Redeliveries and later
requests start traces of their own. Such a trace belongs to the story in three cases: if it links to
a trace of the story, if it carries the first trace's id (attribute `tartip.story`), or if it names
the report, violation or fine of the case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tartip_cli.telemetry.spans import Span, SpanFiles

SUBJECTS = ("tartip.story", "tartip.report", "tartip.fine", "tartip.violation")
# The event that a consumer handled; many belong to one story.
_EVENT = "tartip.event"
_MAX_ROUNDS = 6
_MAX_TRACES = 200
_FEW_LINKS = 2


@dataclass(frozen=True)
class Story:
    query: str
    spans: tuple[Span, ...]
    """The spans, ordered by start."""

    @property
    def traces(self) -> list[str]:
        return list(dict.fromkeys(span.trace_id for span in self.spans))

    @property
    def services(self) -> list[str]:
        return list(dict.fromkeys(span.service for span in self.spans))

    @property
    def start_ns(self) -> int:
        return min(span.start_ns for span in self.spans)

    @property
    def end_ns(self) -> int:
        return max(span.end_ns for span in self.spans)

    def edges(self) -> set[tuple[str, str]]:
        """Return the calls between services, as pairs (calling service, called service).

        A pair is found where a span and its parent span are of different services.
        """
        by_id = {span.span_id: span for span in self.spans}
        found = set()
        for span in self.spans:
            parent = by_id.get(span.parent_id)
            if parent is not None and parent.service != span.service:
                found.add((parent.service, span.service))
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "query": self.query,
            "traces": self.traces,
            "services": self.services,
            "spans": [_span_json(span, self.start_ns) for span in self.spans],
        }


def find_story(files: SpanFiles, query: str) -> Story | None:
    """Return the story (all traces) of a case. None if no span is found for `query`.

    `query` is a trace id, report number, fine number, violation id or event id. A story may be
    incomplete if it has more than _MAX_TRACES traces or takes more than _MAX_ROUNDS searches.
    """
    traces: set[str] = set()
    subjects: set[str] = set()
    wanted = {query}
    known: dict[tuple[str, str], Span] = {}
    for _ in range(_MAX_ROUNDS):
        spans = list(files.spans_mentioning(sorted(wanted)))
        traces |= {span.trace_id for span in spans if _belongs(span, query, traces, subjects)}
        known |= {(span.trace_id, span.span_id): span for span in spans}
        if not traces or len(traces) > _MAX_TRACES:
            break
        # Work for several stories at once belongs to this one; the other stories do not.
        shared = {span.trace_id for span in known.values() if len(span.links) > _FEW_LINKS}
        ours = [span for span in known.values() if span.trace_id in traces - shared]
        subjects |= {value for span in ours for value in _subjects(span)}
        traces |= {link for span in ours for link in span.links}
        grown = {query, *traces, *subjects}
        if grown == wanted:
            break
        wanted = grown
    story = sorted(
        (span for span in known.values() if span.trace_id in traces),
        key=lambda span: (span.start_ns, -span.end_ns),
    )
    return Story(query, tuple(story)) if story else None


def _belongs(span: Span, query: str, traces: set[str], subjects: set[str]) -> bool:
    named = _subjects(span)
    return (
        span.trace_id == query
        or query in named
        or span.attributes.get(_EVENT) == query
        or not subjects.isdisjoint(named)
        or not traces.isdisjoint(span.links)
    )


def _subjects(span: Span) -> set[str]:
    return {str(span.attributes[name]) for name in SUBJECTS if span.attributes.get(name)}


def _span_json(span: Span, start_ns: int) -> dict[str, Any]:
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "service": span.service,
        "name": span.name,
        "kind": span.kind,
        "offset_ms": round((span.start_ns - start_ns) / 1e6, 3),
        "duration_ms": round(span.duration_ms, 3),
        "error": span.error,
        "attributes": span.attributes,
        "links": list(span.links),
    }
