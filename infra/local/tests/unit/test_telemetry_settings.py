"""Where telemetry goes is read from the standard variables, checked, and passed on to services."""

from __future__ import annotations

from pathlib import Path

import pytest
from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.settings import read_settings
from tartip_cli.topology import FINES, OPERATOR_GATEWAY

COLLECTOR = "https://collector.example:4317"
EMBEDDED = "http://127.0.0.1:21115"


def environment(tmp_path: Path, service: object = FINES, **variables: str) -> dict[str, str]:
    home = {"TARTIP_HOME": str(tmp_path / "home"), "TARTIP_PORT_BASE": "21100"}
    mesh = Mesh.build(read_settings({**home, **variables}))
    return mesh.services.environment(service)  # type: ignore[arg-type]


def test_services_get_the_variables_of_the_collector(tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_text("")
    given = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20secret",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority),
        "OTEL_RESOURCE_ATTRIBUTES": "host.name=machine-1",
    }
    passed = environment(tmp_path, **given, OTEL_SERVICE_NAME="another")
    assert passed.items() >= given.items()
    assert "OTEL_SERVICE_NAME" not in passed and "OTEL_LOGS_EXPORTER" not in passed


def test_the_supervisors_own_receiver_speaks_http_and_gets_no_logs(tmp_path: Path) -> None:
    passed = environment(tmp_path, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert passed["OTEL_EXPORTER_OTLP_ENDPOINT"] == EMBEDDED
    assert passed["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert passed["OTEL_LOGS_EXPORTER"] == "none"


def test_each_service_gets_a_port_of_its_own_for_its_metrics(tmp_path: Path) -> None:
    setting = {"TARTIP_METRICS_ADDRESS": "127.0.0.1:9100"}
    ports = {
        environment(tmp_path, service, **setting)["TARTIP_METRICS_ADDRESS"]
        for service in (FINES, OPERATOR_GATEWAY)
    }
    assert ports == {"127.0.0.1:9103", "127.0.0.1:9105"}
    assert "TARTIP_METRICS_ADDRESS" not in environment(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/authority.pem"),
        ("TARTIP_TRACE_RATIO", "1.5"),
        ("TARTIP_TRACE_RATIO", "half"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "15s"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "5"),
        ("TARTIP_METRICS_ADDRESS", "9100"),
        ("TARTIP_METRICS_ADDRESS", "127.0.0.1:80"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(name: str, value: str) -> None:
    with pytest.raises(Failure, match=name) as refused:
        read_settings({name: value})
    assert refused.value.code is Exit.USAGE


def test_commands_export_to_the_same_collector(tmp_path: Path) -> None:
    assert read_settings({}).exports_to(EMBEDDED) == (EMBEDDED, "http/protobuf")
    chosen = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    assert read_settings(chosen).exports_to(EMBEDDED) == (COLLECTOR, "grpc")
