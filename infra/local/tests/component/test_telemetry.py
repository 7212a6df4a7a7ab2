"""Spans sent by a real exporter are kept on disk, found again by id or subject, and drawn."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, Status, StatusCode
from tartip_cli.telemetry.spans import SpanFiles
from tartip_cli.telemetry.story import find_story
from tartip_testing.mesh import RunningTestMesh

EVENT = "018f2b6e-0000-7000-8000-000000000001"


def tracer_of(mesh: RunningTestMesh, service: str) -> trace.Tracer:
    endpoint = mesh.environment("fines")["OTEL_EXPORTER_OTLP_ENDPOINT"]
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", compression=Compression.Gzip)
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("test")


def tell_a_story(mesh: RunningTestMesh, fine: str) -> str:
    """Two services in one trace, and a later trace that links to it."""
    violations, fines = tracer_of(mesh, "violations"), tracer_of(mesh, "fines")
    with violations.start_as_current_span("Confirm") as root:
        handled = {"tartip.fine": fine, "tartip.event": EVENT}
        with fines.start_as_current_span("issue", attributes=handled) as issued:
            issued.set_status(Status(StatusCode.ERROR, "no owner"))
        first = root.get_span_context()
    with fines.start_as_current_span("redelivered", links=[Link(first)]):
        pass
    with fines.start_as_current_span("somebody else's", attributes={"tartip.fine": "other"}):
        pass
    return f"{first.trace_id:032x}"


def test_a_story_is_found_by_trace_and_by_subject(engines: RunningTestMesh) -> None:
    trace_id = tell_a_story(engines, "F-1001")
    for query in (trace_id, "F-1001", EVENT):
        story = engines.story(query)
        assert story is not None
        assert {span.name for span in story.spans} == {"Confirm", "issue", "redelivered"}
        assert story.edges() == {("violations", "fines")}
        assert story.traces[0] == trace_id and len(story.traces) == 2
        assert [span.error for span in story.spans if span.name == "issue"] == ["no owner"]
    assert engines.story("F-9999") is None


def test_the_supervisor_exposes_the_metrics_of_all_processes(engines: RunningTestMesh) -> None:
    address = engines.environment("fines")["OTEL_EXPORTER_OTLP_ENDPOINT"]
    exporter = OTLPMetricExporter(f"{address}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter)
    resource = Resource({"service.name": "scratch", "service.instance.id": "one"})
    provider = MeterProvider([reader], resource, shutdown_on_exit=False)
    provider.get_meter("test").create_counter("tartip.refusals").add(2, {"reason": "X"})
    provider.force_flush()
    with urllib.request.urlopen(f"{address}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    own = 'service_instance_id="one",service_name="scratch"'
    assert f'tartip_refusals_total{{reason="X",{own}}} 2.0' in lines
    ready = [line for line in lines if line.startswith("tartip_part_ready{")]
    assert any('part="nats"' in line and line.endswith(" 1.0") for line in ready)
    left = [line for line in lines if line.startswith("tartip_certificate_left_days{")]
    assert any('certificate="fines",kind="service"' in line for line in left)
    assert not any("inspector" in line for line in left), "officers have names"
    provider.shutdown()


def test_the_command_draws_and_prints_json(engines: RunningTestMesh) -> None:
    tell_a_story(engines, "202600000001002")
    environment = {"TARTIP_HOME": str(engines.home.path), "COLUMNS": "140"}
    command = [sys.executable, "-m", "tartip_cli", "trace", "202600000001002"]
    drawn = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "issue" in drawn.stdout and "no owner" in drawn.stdout and "█" in drawn.stdout
    printed = subprocess.run(
        [*command, "--json"], env=environment, capture_output=True, text=True, check=True
    )
    document = json.loads(printed.stdout)
    assert document["services"] == ["violations", "fines"]
    command[-1] = "202600000009999"
    missing = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert missing.returncode == 10 and missing.stderr.startswith("tartip: no span names 2026")
    command[-1] = "F-0"
    mistyped = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert mistyped.returncode == 2 and "has 15 digits" in mistyped.stderr


@pytest.mark.parametrize("body", [b"no protobuf at all", b"\x1f\x8b broken"])
def test_what_is_no_otlp_is_refused(engines: RunningTestMesh, body: bytes) -> None:
    endpoint = engines.environment("fines")["OTEL_EXPORTER_OTLP_ENDPOINT"]
    request = urllib.request.Request(
        f"{endpoint}/v1/traces", data=body, headers={"Content-Encoding": "gzip"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    assert refused.value.code == 400


def test_the_oldest_file_goes_when_there_is_too_much(tmp_path: Path) -> None:
    for hour in range(4):
        (tmp_path / f"2026-01-01T{hour:02}.jsonl").write_bytes(b"x" * 1000)
    files = SpanFiles(tmp_path, max_bytes=2500)
    files.append({"resourceSpans": []})
    names = [path.name for path in files.files()]
    assert names[:2] == ["2026-01-01T02.jsonl", "2026-01-01T03.jsonl"] and len(names) == 3


def test_an_hour_with_much_gets_further_files_that_are_read_in_order(tmp_path: Path) -> None:
    files = SpanFiles(tmp_path, max_bytes=16 * 100)
    for number in range(12):
        files.append({"resourceSpans": [], "number": f"{number:040}"})
    found = files.files()
    assert len(found) > 2 and all(path.stat().st_size < 200 for path in found)
    lines = [line for path in found for line in path.read_text().splitlines()]
    numbers = [int(json.loads(line)["number"]) for line in lines]
    assert numbers == sorted(numbers) and numbers[-1] == 11


def test_a_story_of_very_many_traces_is_shown_in_part(tmp_path: Path) -> None:
    files = SpanFiles(tmp_path)
    fine = {"key": "tartip.fine", "value": {"stringValue": "F-9"}}
    for number in range(201):
        span = {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{number + 1:016x}",
            "name": "look up",
            "kind": 2,
            "startTimeUnixNano": str(number),
            "endTimeUnixNano": str(number + 1),
            "attributes": [fine],
        }
        files.append({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]})
    story = find_story(files, "F-9")
    assert story is not None and len(story.spans) == 201
