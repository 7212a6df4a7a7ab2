"""Metrics in the text exposition format of Prometheus, from OTLP messages.

Metrics are named as by the Prometheus exporter of the OpenTelemetry Collector: dots become
underscores, the unit is appended (except for counts of things), and counters end in _total. Every
series has the labels service_name and service_instance_id.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric as OtlpMetric
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricReader
from prometheus_client import generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNITS = {"s": "seconds", "ms": "milliseconds", "d": "days", "By": "bytes"}
OF_RESOURCE = ("service.name", "service.instance.id")
_NOT_IN_NAMES = re.compile("[^a-zA-Z0-9_]+")
Labels = dict[str, str]


@dataclass
class _Family:
    """The points of one metric of all processes, each with its labels."""

    metric: OtlpMetric
    points: list[tuple[Labels, Any]] = field(default_factory=list)


class Exposition(Collector):
    """A Prometheus collector; `read` returns the current metrics as OTLP messages."""

    def __init__(self, read: Callable[[], Iterable[ResourceMetrics]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield a family for each metric; histograms with exponential buckets are left out."""
        families: dict[tuple[str, str], _Family] = {}
        for resource in self._read():
            own = _labels({key.key: key.value for key in resource.resource.attributes}, OF_RESOURCE)
            for metric in (found for scope in resource.scope_metrics for found in scope.metrics):
                kind = metric.WhichOneof("data") or ""
                if kind not in ("gauge", "sum", "histogram"):
                    continue
                family = families.setdefault((metric.name, kind), _Family(metric))
                for point in getattr(metric, kind).data_points:
                    given = {key.key: key.value for key in point.attributes}
                    family.points.append((own | _labels(given, tuple(given)), point))
        yield from (_exposed(family) for family in families.values())

    def text(self) -> bytes:
        """Return all metrics in the text format, whose content type is CONTENT_TYPE."""
        return generate_latest(self)


def own_metrics() -> tuple[MetricReader, Callable[[], Iterable[ResourceMetrics]]]:
    """Return a metric reader, and a function that returns what it has collected, as OTLP messages.

    The reader must be passed to this process's `MeterProvider`.
    """
    reader = InMemoryMetricReader()

    def read() -> Iterable[ResourceMetrics]:
        found = reader.get_metrics_data()
        return encode_metrics(found).resource_metrics if found is not None else ()

    return reader, read


def serve(address: str) -> MetricReader:
    """Serve this process's metrics over HTTP at `address` ("host:port"), in a thread of its own.

    Returns the reader to pass to the `MeterProvider`. Exits with a message if the address is taken
    or malformed.
    """
    reader, read = own_metrics()
    host, _, port = address.rpartition(":")
    try:
        start_http_server(int(port), host, registry=Exposition(read))
    except (OSError, ValueError, OverflowError) as error:
        raise SystemExit(
            f"cannot listen on {address} ({error}): free it or set TARTIP_METRICS_ADDRESS"
        ) from error
    return reader


def _exposed(family: _Family) -> Metric:
    metric, kind = family.metric, family.metric.WhichOneof("data")
    names = sorted({name for labels, _ in family.points for name in labels})
    name, text, unit = _name(metric.name), metric.description, UNITS.get(metric.unit, "")
    if kind == "histogram":
        histogram = HistogramMetricFamily(name, text, labels=names, unit=unit)
        for labels, point in family.points:
            values = [labels.get(name, "") for name in names]
            histogram.add_metric(values, buckets=_buckets(point), sum_value=point.sum)
        return histogram
    is_counter = kind == "sum" and metric.sum.is_monotonic
    made = CounterMetricFamily if is_counter else GaugeMetricFamily
    numbers = made(name, text, labels=names, unit=unit)
    for labels, point in family.points:
        value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
        numbers.add_metric([labels.get(name, "") for name in names], value)
    return numbers


def _buckets(point: Any) -> list[tuple[str, int]]:
    """Upper bounds with the number of values up to each, as Prometheus counts them."""
    found, total = [], 0
    bounds = [*(str(bound) for bound in point.explicit_bounds), "+Inf"]
    for bound, count in zip(bounds, point.bucket_counts, strict=True):
        total += count
        found.append((bound, total))
    return found


def _labels(values: Mapping[str, Any], names: Iterable[str]) -> Labels:
    return {_name(name): _text(values[name]) for name in names if name in values}


def _text(value: Any) -> str:
    """The value of an OTLP attribute as a label."""
    kind = value.WhichOneof("value")
    content = getattr(value, kind) if kind else ""
    return str(content).lower() if isinstance(content, bool) else str(content)


def _name(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name)
