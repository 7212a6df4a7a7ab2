"""Log records as JSON lines on stdout and as OTLP log records, with the same content.

Both forms carry the ids of the trace, the span and the event (`chassis.telemetry.about`). An
exception is given by type, place and SQLSTATE, never by its text, which may quote a database row.
"""

import json
import logging
import time
import traceback
from dataclasses import dataclass

from chassis import telemetry
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider

FRAMES_MAX = 8
CAUSES_MAX = 8
# Records of the exporters themselves would be exported, and fail again, without end.
NOT_EXPORTED = "opentelemetry"
SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


@dataclass(frozen=True)
class LoggedError:
    """What may be logged of an exception: its type and the places in the code that it passed.

    `sqlstate` is "" unless the database raised it.
    """

    type: str
    where: list[str]
    sqlstate: str


class JsonLines(logging.Formatter):
    """A log formatter: one JSON object per record, on one line."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON, with only the type and place of an exception."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": _message(record),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = f"{context.trace_id:032x}"
            line["span_id"] = f"{context.span_id:016x}"
        if event := telemetry.current_event():
            line["event_id"] = event
        if error := _error(record):
            line["error_type"] = error.type
            if error.sqlstate:
                line["sqlstate"] = error.sqlstate
            line["where"] = error.where
        return json.dumps(line, ensure_ascii=False)


class ExportedLogs(logging.Handler):
    """A log handler that passes records to an OpenTelemetry `LoggerProvider`.

    Attributes are tartip.event, exception.type, exception.stacktrace (places alone) and
    db.response.status_code (the SQLSTATE).
    """

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider
        self.addFilter(lambda record: not record.name.startswith(NOT_EXPORTED))

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record to the provider, which exports records in batches."""
        self._provider.get_logger(record.name).emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                severity_text=record.levelname,
                severity_number=SEVERITIES.get(record.levelno, SeverityNumber.UNSPECIFIED),
                body=_message(record),
                attributes=_attributes(record),
            )
        )


def _attributes(record: logging.LogRecord) -> dict[str, str]:
    found = {}
    if event := telemetry.current_event():
        found["tartip.event"] = event
    if error := _error(record):
        found["exception.type"] = error.type
        found["exception.stacktrace"] = "\n".join(error.where)
        if error.sqlstate:
            found["db.response.status_code"] = error.sqlstate
    return found


def _message(record: logging.LogRecord) -> str:
    """The message; for asyncio its first line, as an exception text that may hold a row follows."""
    text = record.getMessage()
    return text.partition("\n")[0] if record.name == "asyncio" else text


def _error(record: logging.LogRecord) -> LoggedError | None:
    if not record.exc_info or record.exc_info[0] is None:
        return None
    kind, error, stack = record.exc_info
    where = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(stack)[-FRAMES_MAX:]
    ]
    return LoggedError(kind.__name__, where, sqlstate_of(error))


def sqlstate_of(error: BaseException | None) -> str:
    """Return the SQLSTATE of the database error behind an exception; "" if there is none.

    The database error is the exception itself or its cause.
    """
    for _ in range(CAUSES_MAX):
        for found in (error, getattr(error, "orig", None)):
            if state := getattr(found, "sqlstate", None):
                return str(state)
        if error is None:
            break
        error = error.__cause__ or error.__context__
    return ""
