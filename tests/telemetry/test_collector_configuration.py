"""The collector's configuration is whole, and lets through what services export, nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from chassis.telemetry import ATTRIBUTES

from .catalogue import ROOT
from .test_stories import IDS, RESOURCE_KEYS

FILE = ROOT / "infra" / "otel" / "collector.yaml"
OF_RECORDS = {"tartip.event", "exception.type", "exception.stacktrace", "db.response.status_code"}
COMPONENTS = ("receivers", "processors", "exporters", "extensions")


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return found


def test_every_component_is_used_and_every_used_one_is_there(
    configuration: dict[str, Any],
) -> None:
    service = configuration["service"]
    assert set(configuration) == {*COMPONENTS, "service"}
    assert set(service["pipelines"]) == {"traces", "metrics", "logs"}
    used: dict[str, set[str]] = {"extensions": set(service["extensions"])}
    for pipeline in service["pipelines"].values():
        assert set(pipeline) == {"receivers", "processors", "exporters"}
        for kind, names in pipeline.items():
            used.setdefault(kind, set()).update(names)
    for kind in COMPONENTS:
        assert used[kind] == set(configuration[kind]), kind


def test_memory_is_limited_first_and_spans_and_logs_pass_the_redaction(
    configuration: dict[str, Any],
) -> None:
    for name, pipeline in configuration["service"]["pipelines"].items():
        assert pipeline["processors"][0] == "memory_limiter"
        assert pipeline["processors"][-1] == "batch"
        assert ("redaction" in pipeline["processors"]) == (name != "metrics")


def test_receivers_ask_for_tls_and_a_token(configuration: dict[str, Any]) -> None:
    for protocol in configuration["receivers"]["otlp"]["protocols"].values():
        assert protocol["tls"].keys() == {"cert_file", "key_file"}
        assert protocol["auth"]["authenticator"] in configuration["extensions"]


def test_queues_are_kept_in_an_extension_that_is_there(configuration: dict[str, Any]) -> None:
    queues = [
        exporter["sending_queue"]["storage"]
        for exporter in configuration["exporters"].values()
        if "sending_queue" in exporter
    ]
    assert queues and set(queues) <= set(configuration["extensions"])


def test_the_redaction_allows_exactly_what_services_export(configuration: dict[str, Any]) -> None:
    redaction = configuration["processors"]["redaction"]
    allowed = redaction["allowed_keys"]
    assert not redaction["allow_all_keys"] and len(allowed) == len(set(allowed))
    resources = RESOURCE_KEYS | {"host.name"}
    assert set(allowed) == ATTRIBUTES | set(IDS) | OF_RECORDS | resources


@pytest.mark.parametrize(
    ("value", "is_blocked"),
    [("900101300123", True), ("+77000000001", True), ("202600000001002", False)],
)
def test_the_redaction_masks_numbers_of_people_and_not_of_fines(
    configuration: dict[str, Any], value: str, is_blocked: bool
) -> None:
    patterns = configuration["processors"]["redaction"]["blocked_values"]
    assert any(re.search(pattern, f"is {value} known") for pattern in patterns) == is_blocked
