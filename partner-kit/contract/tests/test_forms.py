"""What an adapter may answer instead of what it should: it is named, and the kit goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tartip_partner_contract.adapter import AdapterAway
from tartip_partner_contract.run import outcomes
from tartip_partner_contract.scenarios import SCENARIOS

ANSWERS: list[Any] = [
    b"<html>not JSON</html>",
    b"",
    json.dumps([1, 2]).encode(),
    json.dumps({"changes": [1], "fields": ["x"], "texts": ["kk"], "number": 7}).encode(),
    json.dumps({"changes": "none", "fields": "x", "texts": None}).encode(),
]


@pytest.fixture(params=[200, 422])
def status(request: Any) -> int:
    found: int = request.param
    return found


@pytest.fixture(params=ANSWERS)
def url(status: int, request: Any) -> Iterator[str]:
    class Odd(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            configured = self.path == "/configure"
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(204 if configured else status)
            self.send_header("Content-Length", "0" if configured else str(len(request.param)))
            self.end_headers()
            self.wfile.write(b"" if configured else request.param)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def test_an_odd_answer_fails_every_scenario_by_name(url: str) -> None:
    found = [one async for one in outcomes(url, SCENARIOS, wait_seconds=1.0)]
    assert [one.scenario.name for one in found if not one.passed] == [
        scenario.name for scenario in SCENARIOS
    ]


async def test_an_adapter_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(AdapterAway):
        async for _ in outcomes("http://127.0.0.1:9", SCENARIOS, wait_seconds=1.0):
            raise AssertionError("no outcome without an adapter")


async def test_an_adapter_that_ends_meanwhile_fails_the_rest() -> None:
    class Ending(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            self.server.server_close()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ending)
    threading.Thread(target=server.handle_request, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    found = [one async for one in outcomes(url, SCENARIOS[:2], wait_seconds=1.0)]
    assert [one.passed for one in found] == [False, False]
    assert "no adapter any more" in (found[-1].wrong or "")
