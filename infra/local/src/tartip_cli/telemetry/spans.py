"""Stores telemetry on disk as lines of OTLP JSON, and reads spans from these files.

Each hour has a file, or several files if one would become too large. The oldest files are removed
when the total size of all files exceeds a limit.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chassis.clock import real_clock

MAX_BYTES = 256 * 1024 * 1024
_FILES = 16  # at least so many make up the limit, so that removing the oldest removes little


@dataclass(frozen=True, kw_only=True)
class Span:
    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    error: str | None
    attributes: dict[str, Any]
    links: tuple[str, ...] = field(default=())
    """The trace ids that this span links to."""

    @property
    def duration_ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6


class SpanFiles:
    """The telemetry files in one folder; only the receiver writes them.

    The oldest files are removed when the total size of all files exceeds `max_bytes`.
    """

    def __init__(self, folder: Path, *, prefix: str = "", max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._prefix = prefix
        self._max_bytes = max_bytes
        self._written_since_check = max_bytes

    def append(self, document: dict[str, Any]) -> None:
        line = json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"
        content = line.encode()
        with self._current_file().open("ab") as file:
            file.write(content)
        self._written_since_check += len(content)
        if self._written_since_check > self._max_bytes // _FILES:
            self._remove_oldest()
            self._written_since_check = 0

    def files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._prefix}[0-9]*.jsonl"))

    def spans_mentioning(self, tokens: Iterable[str]) -> Iterator[Span]:
        """Yield all spans of each stored line that contains one of `tokens` as a JSON string. A
        line can have several spans, and some of them may contain no token. The caller must
        therefore check each span."""
        pattern = re.compile("|".join(re.escape(json.dumps(token)) for token in tokens).encode())
        for path in self.files():
            with path.open("rb") as file:
                for line in file:
                    if pattern.search(line):
                        yield from _spans_of(line)

    def _current_file(self) -> Path:
        """The file of this hour; the next of the hour if that has its share of the limit."""
        hour = real_clock().strftime("%Y-%m-%dT%H")
        for number in itertools.count():
            # In the order of their names: "_" comes after ".".
            name = f"{self._prefix}{hour}_{number:03}" if number else f"{self._prefix}{hour}"
            path = self._folder / f"{name}.jsonl"
            if not path.exists() or path.stat().st_size < self._max_bytes // _FILES:
                break
        return path

    def _remove_oldest(self) -> None:
        files = self.files()
        total = sum(path.stat().st_size for path in files)
        for path in files[:-1]:
            if total <= self._max_bytes:
                return
            total -= path.stat().st_size
            path.unlink()


def _spans_of(line: bytes) -> Iterator[Span]:
    try:
        document = json.loads(line)
    except ValueError:
        return  # the incomplete last line of a killed supervisor
    for resource in document.get("resourceSpans", []):
        attributes = _attributes(resource.get("resource", {}).get("attributes", []))
        service = str(attributes.get("service.name", "unknown"))
        for scope in resource.get("scopeSpans", []):
            for span in scope.get("spans", []):
                yield _span(span, service)


_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
_ERROR = 2


def _span(span: dict[str, Any], service: str) -> Span:
    status = span.get("status", {})
    failed = status.get("code") == _ERROR
    return Span(
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId", ""),
        service=service,
        name=span.get("name", ""),
        kind=_KINDS[int(span.get("kind", 0))],
        start_ns=int(span["startTimeUnixNano"]),
        end_ns=int(span["endTimeUnixNano"]),
        error=(status.get("message") or "error") if failed else None,
        attributes=_attributes(span.get("attributes", [])),
        links=tuple(link["traceId"] for link in span.get("links", [])),
    )


def _attributes(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: _value(pair.get("value", {})) for pair in pairs}


def _value(value: dict[str, Any]) -> Any:
    if "arrayValue" in value:
        return [_value(item) for item in value["arrayValue"].get("values", [])]
    if "intValue" in value:
        return int(value["intValue"])
    return next(iter(value.values()), None)
