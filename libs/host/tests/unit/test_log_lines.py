"""A log line tells where and of what type an error was, never its text, and what it is about."""

import json
import logging
import sys
from typing import Any

from chassis import telemetry
from host.telemetry.log_lines import ExportedLogs, JsonLines, sqlstate_of
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from sqlalchemy.exc import IntegrityError

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENT = "018f2b6e-0000-7000-8000-000000000001"
PERSONAL = "Key (iin)=(900101)"


class UniqueViolation(Exception):
    sqlstate = "23505"


def record_of(error: BaseException | None = None, *, name: str = "host.consumer") -> Any:
    raised: Any = None
    if error is not None:
        try:
            raise error
        except BaseException:
            raised = sys.exc_info()
    return logging.LogRecord(name, logging.ERROR, __file__, 1, "again later", (), raised)


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(JsonLines("scratch").format(record))
    return line


def test_the_event_loops_complaint_loses_the_text_of_the_exception() -> None:
    told = f"Task exception was never retrieved\nfuture: <Task exception=E('{PERSONAL}')>"
    record = logging.LogRecord("asyncio", logging.ERROR, __file__, 1, told, (), None)
    line = JsonLines("scratch").format(record)
    assert json.loads(line)["message"] == "Task exception was never retrieved"
    assert "900101" not in line


def test_a_line_about_an_event_carries_its_id_and_the_trace() -> None:
    with telemetry.about(TRACEPARENT, event=EVENT):
        line = line_of(record_of())
    assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert line["span_id"] == "b7ad6b7169203331"
    assert line["event_id"] == EVENT
    assert {"trace_id", "span_id", "event_id"}.isdisjoint(line_of(record_of()))


def test_a_line_with_a_database_error_carries_its_sqlstate_and_not_its_text() -> None:
    error = IntegrityError("INSERT", {}, UniqueViolation(PERSONAL))
    record = record_of(error)
    line = line_of(record)
    assert line["sqlstate"] == "23505" and line["error_type"] == "IntegrityError"
    assert "900101" not in JsonLines("scratch").format(record)


def test_the_sqlstate_is_found_in_what_caused_an_error() -> None:
    try:
        try:
            raise UniqueViolation(PERSONAL)
        except UniqueViolation as cause:
            raise RuntimeError from cause
    except RuntimeError as error:
        assert sqlstate_of(error) == "23505"
    assert sqlstate_of(ValueError()) == ""


def test_an_exported_record_says_the_same_as_the_line() -> None:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler = ExportedLogs(provider)
    with telemetry.about(TRACEPARENT, event=EVENT):
        handler.handle(record_of(IntegrityError("INSERT", {}, UniqueViolation(PERSONAL))))
    handler.handle(record_of(name="opentelemetry.exporter"))
    (exported,) = exporter.get_finished_logs()
    record = exported.log_record
    assert f"{record.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    attributes = dict(record.attributes or {})
    assert attributes["tartip.event"] == EVENT
    assert attributes["db.response.status_code"] == "23505"
    assert attributes["exception.type"] == "IntegrityError"
    assert record.body == "again later"
    assert "900101" not in str(attributes)
