"""Metrics in Prometheus's format have the names and labels that a collector would give them."""

import urllib.request
from collections.abc import Iterator

import pytest
from host.telemetry.exposition import Exposition, own_metrics, serve
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families
from tartip_cli.ports import free_base

OWN = {"service_name": "scratch", "service_instance_id": "one"}


@pytest.fixture
def process() -> Iterator[tuple[Meter, Exposition]]:
    reader, read = own_metrics()
    yield meter_of(reader), Exposition(read)


def meter_of(reader: object) -> Meter:
    resource = Resource({"service.name": "scratch", "service.instance.id": "one", "host.id": "x"})
    provider = MeterProvider(
        [reader],  # type: ignore[list-item]
        resource,
        shutdown_on_exit=False,
    )
    return provider.get_meter("test")


def samples(text: bytes) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_a_counter_ends_in_total_and_a_gauge_in_its_unit(
    process: tuple[Meter, Exposition],
) -> None:
    meter, exposition = process
    meter.create_counter("tartip.refusals", unit="{refusal}").add(3, {"reason": "NOT_ALLOWED"})
    meter.create_gauge("tartip.certificate.left", unit="d").set(-1.5)
    found = samples(exposition.text())
    assert found["tartip_refusals_total"] == [({**OWN, "reason": "NOT_ALLOWED"}, 3.0)]
    assert found["tartip_certificate_left_days"] == [(OWN, -1.5)]


def test_labels_that_only_some_points_have_are_empty_for_the_others(
    process: tuple[Meter, Exposition],
) -> None:
    meter, exposition = process
    calls = meter.create_counter("calls")
    calls.add(1, {"rpc.method": "A"})
    calls.add(2, {"rpc.method": "B", "error.type": "INTERNAL", "is.last": True})
    found = samples(exposition.text())["calls_total"]
    assert ({**OWN, "rpc_method": "A", "error_type": "", "is_last": ""}, 1.0) in found
    assert ({**OWN, "rpc_method": "B", "error_type": "INTERNAL", "is_last": "true"}, 2.0) in found


def test_buckets_of_a_histogram_count_up(process: tuple[Meter, Exposition]) -> None:
    meter, exposition = process
    duration = meter.create_histogram(
        "call.duration", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1]
    )
    for seconds in (0.05, 0.5, 0.5, 5):
        duration.record(seconds)
    found = samples(exposition.text())
    buckets = {labels["le"]: value for labels, value in found["call_duration_seconds_bucket"]}
    assert buckets == {"0.1": 1.0, "1.0": 3.0, "+Inf": 4.0}
    assert found["call_duration_seconds_count"] == [(OWN, 4.0)]
    assert found["call_duration_seconds_sum"] == [(OWN, 6.05)]


def test_a_process_serves_its_own_metrics_at_an_address_of_its_own() -> None:
    address = f"127.0.0.1:{free_base().base}"
    meter_of(serve(address)).create_gauge("height").set(7)
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        assert answer.headers["content-type"].startswith("text/plain")
        assert samples(answer.read())["height"] == [(OWN, 7.0)]
    with pytest.raises(SystemExit, match="TARTIP_METRICS_ADDRESS"):
        serve(address)
    with pytest.raises(SystemExit, match="TARTIP_METRICS_ADDRESS"):
        serve("nowhere")
