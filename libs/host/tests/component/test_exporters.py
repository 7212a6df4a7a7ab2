"""A process exports spans, metrics and logs by what the standard variables say."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from host.telemetry.providers import resource_of
from tartip_testing.otlp import Received, attributes_of, receiving_grpc, receiving_http

PROCESS = """
import logging
from chassis import telemetry
from chassis.settings import Settings, read
from host.telemetry import providers

providers.set_up("scratch", read(Settings))
with telemetry.span("did something"):
    telemetry.refusals_total.add(1, {"reason": "NOT_ALLOWED"})
    try:
        raise ValueError("900101300123")
    except ValueError:
        logging.getLogger("scratch").exception("it failed")
providers.shut_down()
"""
SHUTDOWN_SECONDS = 3.0
Receiving = Callable[[], AbstractContextManager[Received]]


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "TARTIP_GRPC_ADDRESS": "127.0.0.1:1", **variables}
    return subprocess.run(
        [sys.executable, "-c", PROCESS],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def exported(received: Received) -> tuple[Any, Any, set[str]]:
    (service, span), (_, record) = received.spans()[0], received.records()[0]
    assert service == "scratch"
    return span, record, {metric.name for _, metric in received.metrics()}


@pytest.mark.parametrize(
    ("protocol", "receiving"), [("grpc", receiving_grpc), ("http/protobuf", receiving_http)]
)
def test_spans_metrics_and_logs_go_out_with_headers_and_the_given_attributes(
    protocol: str, receiving: Receiving
) -> None:
    with receiving() as received:
        done = run(
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20secret",
            OTEL_RESOURCE_ATTRIBUTES="host.name=machine-1",
            OTEL_SERVICE_NAME="another",
        )
        assert done.returncode == 0, done.stderr
        span, record, metrics = exported(received)
    assert span.name == "did something" and "tartip.refusals" in metrics
    assert record.body.string_value == "it failed"
    assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
    assert attributes_of(record)["exception.type"] == "ValueError"
    assert b"900101300123" not in received.content()
    assert {found["authorization"] for found in received.headers} == {"Bearer secret"}
    assert {found["host.name"] for found in received.resources()} == {"machine-1"}


def test_over_grpc_the_collectors_certificate_is_verified_by_the_given_authority(
    postgres: Any,
) -> None:
    pair = postgres.certificates.service("fines")
    with receiving_grpc((pair.key.read_bytes(), pair.certificate.read_bytes())) as received:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        }
        run(**variables)
        assert received.spans() == []
        authority = str(postgres.certificates.authority)
        done = run(**variables, OTEL_EXPORTER_OTLP_CERTIFICATE=authority)
        assert done.returncode == 0, done.stderr
        assert [service for service, _ in received.spans()] == ["scratch"]


def test_logs_are_not_exported_where_the_setting_says_none() -> None:
    with receiving_http() as received:
        run(OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint, OTEL_LOGS_EXPORTER="none")
        assert received.spans() and received.records() == []


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_that_is_away_holds_up_the_end_of_a_process_for_seconds_at_most(
    protocol: str,
) -> None:
    began = time.monotonic()
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert run(**away, OTEL_EXPORTER_OTLP_PROTOCOL=protocol).returncode == 0
    alone = time.monotonic()
    assert run().returncode == 0
    assert (alone - began) - (time.monotonic() - alone) < 3 * SHUTDOWN_SECONDS


def test_a_wrong_protocol_is_refused_by_the_name_of_its_variable() -> None:
    done = run(OTEL_EXPORTER_OTLP_PROTOCOL="http/json")
    assert done.returncode != 0 and "OTEL_EXPORTER_OTLP_PROTOCOL" in done.stderr


def test_an_instance_has_the_same_id_at_the_same_address_and_never_anothers() -> None:
    def instance(service: str, address: str) -> object:
        return resource_of(service, "embedded", address).attributes["service.instance.id"]

    assert instance("fines", "127.0.0.1:7104") == instance("fines", "127.0.0.1:7104")
    assert instance("fines", "127.0.0.1:7104") != instance("fines", "127.0.0.1:7204")
    assert instance("fines", "127.0.0.1:7104") != instance("violations", "127.0.0.1:7104")
    assert instance("fines", "") != instance("fines", "")
