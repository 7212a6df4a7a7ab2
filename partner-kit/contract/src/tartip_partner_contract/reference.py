"""The five verbs and the webhooks around the Python client: the reference adapter, and an example
of such a shim.

`python -m tartip_partner_contract.reference --port 9000`, then in another terminal
`tartip-partner-contract http://127.0.0.1:9000`.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from tartip.reports.v1 import reports_pb2 as pb
from tartip_partner import (
    CertificateExpired,
    Identity,
    MediaRefused,
    MessageTooLarge,
    NoAnswer,
    Refused,
    ReportsClient,
    Retries,
    TartipError,
    WebhookRefused,
    read_webhook,
)

Json = dict[str, Any]
_RETRIES = Retries(call_seconds=2.0, total_seconds=30.0, longest_pause_seconds=2.0)
_FOLLOW_AGAIN_SECONDS = 1.0


class MemoryTokenStore:
    """Keeps the token while the process lives; a bank keeps it in its database."""

    def __init__(self) -> None:
        self._token = ""

    def load(self) -> str:
        return self._token

    def save(self, token: str) -> None:
        self._token = token


class ReferenceAdapter:
    """An adapter on `ReportsClient`. Each method is one verb; the keys are those of README.md."""

    def __init__(self) -> None:
        self._client: ReportsClient | None = None
        self._tokens = MemoryTokenStore()
        self._acted_on: list[Json] = []
        self._following: threading.Thread | None = None
        self._secrets: list[str] = []
        # One webhook at a time: the next one finds the token of the last.
        self._reading = threading.Lock()

    def configure(self, given: Json) -> Json:
        self._stop()
        if given["reset"]:
            self._tokens, self._acted_on = MemoryTokenStore(), []
        self._secrets = given["webhook_secrets"]
        self._client = self._new_client(given)
        if given["follow"]:
            follow = threading.Thread(target=self._follow, args=(self._client,), daemon=True)
            follow.start()
            self._following = follow
        return {}

    def submit(self, given: Json) -> Json:
        report = ParseDict(given["report"], pb.OpenReportRequest())
        media = [base64.b64decode(one["content"]) for one in given["media"]]
        try:
            receipt = self.client.submit(report, media)
        except MediaRefused as without:
            receipt = without.receipt
        return {"report_id": report.report_id, "number": receipt.number}

    def report(self, report_id: str) -> Json:
        return _as_json(self.client.get(report_id=report_id))

    def changes(self) -> Json:
        return {"changes": list(self._acted_on)}

    def reply(self, given: Json) -> Json:
        return _as_json(self.client.reply(given["report_id"], given["text"]))

    def webhook(self, body: bytes, headers: Mapping[str, str]) -> Json:
        """The changes are read before the answer: what fails is sent again."""
        sequence = self._sequence_in(body, headers)
        with self._reading:
            for change in self.client.watch(store=self._tokens, until=sequence):
                self._act_on(change)
        return {}

    @property
    def client(self) -> ReportsClient:
        assert self._client, "POST /configure comes first"
        return self._client

    def close(self) -> None:
        self._stop()

    def _sequence_in(self, body: bytes, headers: Mapping[str, str]) -> str:
        return read_webhook(body, headers, self._secrets).sequence

    def _new_client(self, given: Json) -> ReportsClient:
        pem = {name: given[name].encode() for name in ("ca", "certificate", "key")}
        return ReportsClient(given["address"], Identity(**pem), retries=_RETRIES)

    def _follow(self, client: ReportsClient) -> None:
        """A bank tells its customer; here the change is only noted."""
        stopped = threading.Event()
        while client is self._client:
            try:
                for change in client.watch(store=self._tokens):
                    self._act_on(change)
            except TartipError:
                stopped.wait(_FOLLOW_AGAIN_SECONDS)

    def _act_on(self, change: pb.WatchReportsResponse) -> None:
        self._acted_on.append(
            {
                "resume_token": change.resume_token,
                "report_id": change.report_id,
                "status": change.status,
            }
        )

    def _stop(self) -> None:
        client, self._client = self._client, None
        if client:
            client.close()
        if self._following:
            self._following.join()
            self._following = None


def answer_to(call: Callable[[], Json]) -> tuple[int, Json]:
    """The HTTP status and body of a verb, by what the client returned or raised."""
    try:
        return 200, call()
    except Refused as refused:
        status = 404 if refused.reason == "REPORT_NOT_FOUND" else 422
        fields = [{"field": one.field, "reason": one.reason} for one in refused.fields]
        return status, {
            "reason": refused.reason,
            "fields": fields,
            "texts": dict(refused.texts),
        }
    except WebhookRefused:
        return 401, {"reason": "WEBHOOK_REFUSED"}
    except CertificateExpired:
        return 503, {"reason": "CERTIFICATE_EXPIRED"}
    except NoAnswer:
        return 503, {"reason": "NO_ANSWER"}
    except MessageTooLarge:
        return 422, {"reason": "MESSAGE_TOO_LARGE"}


def serve(adapter: ReferenceAdapter, port: int = 0) -> ThreadingHTTPServer:
    """An HTTP server of the five verbs on 127.0.0.1, for the caller to run and to close."""

    class Verbs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/changes":
                self._answer(adapter.changes)
            else:
                self._answer(lambda: adapter.report(self.path.removeprefix("/reports/")))

        def do_POST(self) -> None:
            verbs = {
                "/configure": adapter.configure,
                "/submit": adapter.submit,
                "/reply": adapter.reply,
            }
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/webhook":
                self._answer(lambda: adapter.webhook(body, dict(self.headers)))
            else:
                self._answer(lambda: verbs[self.path](json.loads(body)))

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are not logged: reports are personal data."""

        def _answer(self, call: Callable[[], Json]) -> None:
            status, body = answer_to(call)
            encoded = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

    return ThreadingHTTPServer(("127.0.0.1", port), Verbs)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="The reference adapter of Tartip's contract kit.")
    parser.add_argument("--port", type=int, default=9000)
    server = serve(ReferenceAdapter(), parser.parse_args().port)
    sys.stderr.write(f"the reference adapter listens on http://127.0.0.1:{server.server_port}\n")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def _as_json(report: pb.Report) -> Json:
    return MessageToDict(report, preserving_proto_field_name=True)


if __name__ == "__main__":
    main()
