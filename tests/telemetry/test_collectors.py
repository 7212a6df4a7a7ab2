"""Both journeys, exported to a collector over gRPC and over HTTP: spans, metrics and logs of all.

Reads are sampled at a ratio of nothing here (`conftest`).
"""

from __future__ import annotations

import pytest
from tartip_testing.otlp import attributes_of

from .conftest import GARBLED, SERVICES, Exported

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]


def test_the_spans_of_both_journeys_arrive(exported: Exported) -> None:
    numbers, spans = exported.numbers, exported.received.spans()
    named: dict[str, set[str]] = {}
    for service, span in spans:
        for key in ("tartip.fine", "tartip.violation", "tartip.report"):
            if number := attributes_of(span).get(key):
                named.setdefault(str(number), set()).add(service)
    assert "fines" in named[numbers["fine"]]
    assert named[numbers["violations"][0]] >= {"violations", "operator-gateway"}
    assert "citizen-reports" in named[numbers["report"]]
    assert {service for service, _ in spans} >= SERVICES | {"tartip-cli"}
    paid = [span for _, span in spans if span.name == "tartip.fines.v1.FinePayments/PayFine"]
    assert paid and all(span.trace_id for span in paid)


def test_reads_of_many_are_left_out_at_a_ratio_of_nothing(exported: Exported) -> None:
    names = {span.name for service, span in exported.received.spans() if service != "tartip-cli"}
    assert "GET /v1/violations" not in names, "the demonstration polls it for its violation"
    assert "GET /v1/violations/{violation_id}" in names


def test_metrics_and_logs_of_every_service_arrive(exported: Exported) -> None:
    received = exported.received
    measured: dict[str, set[str]] = {}
    for service, metric in received.metrics():
        measured.setdefault(service, set()).add(metric.name)
    for service in SERVICES - {"operator-gateway"}:
        assert "rpc.server.call.duration" in measured[service], service
    assert "http.server.request.duration" in measured["operator-gateway"]
    assert "tartip.certificate.left" in measured["supervisor"]
    for service in SERVICES - {"operator-gateway"}:
        bodies = [
            record.body.string_value for name, record in received.records() if name == service
        ]
        assert any(body.startswith("serving on") for body in bodies), service


def test_a_log_record_leads_to_its_span_and_event(exported: Exported) -> None:
    letters = [
        record
        for service, record in exported.received.records()
        if service == "fines" and attributes_of(record).get("tartip.event") == GARBLED
    ]
    assert letters
    spans = {(span.trace_id, span.span_id) for _, span in exported.received.spans()}
    assert (letters[0].trace_id, letters[0].span_id) in spans


def test_requests_carry_the_given_headers_and_the_resource_its_own_names(
    exported: Exported,
) -> None:
    received = exported.received
    assert received.headers and all(found["x-tenant"] == "tests" for found in received.headers)
    assert "wrong" not in {service for service, _ in received.metrics()}
    for resource in received.resources():
        assert resource["host.name"] == "machine-1"
        if resource["service.name"] != "tartip-cli":
            assert resource["deployment.environment.name"] == "embedded"
            assert resource["service.version"] and resource["service.instance.id"]


def test_nothing_personal_is_in_what_was_exported(exported: Exported) -> None:
    content = exported.received.content()
    assert exported.numbers["fine"].encode() in content
    assert len(exported.personal) > 20
    for text in exported.personal:
        assert text.encode() not in content, text
