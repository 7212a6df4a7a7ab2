"""What is logged tells where and of what type an error was, never its text."""

import json
import logging

from chassis.telemetry import JsonLines


def test_the_event_loops_complaint_loses_the_text_of_the_exception() -> None:
    told = "Task exception was never retrieved\nfuture: <Task exception=E('Key (iin)=(900101)')>"
    record = logging.LogRecord("asyncio", logging.ERROR, __file__, 1, told, (), None)
    line = JsonLines("scratch").format(record)
    assert json.loads(line)["message"] == "Task exception was never retrieved"
    assert "900101" not in line
