"""Adapters that are wrong on purpose, each in one way, and the scenario that must name it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1 import reports_pb2_grpc
from tartip_partner import (
    CertificateExpired,
    Identity,
    NoAnswer,
    ReportsClient,
    Retries,
    WebhookRefused,
    new_id,
    read_webhook,
)
from tartip_partner.caller import Caller
from tartip_partner.flows import Call, Flow, Pause, Work
from tartip_partner.media import prepared
from tartip_partner.report_flows import OPEN_REPORT, SUBMIT_REPORT
from tartip_partner.webhooks import TOLERANCE_SECONDS
from tartip_partner_contract.reference import Json, ReferenceAdapter

SECONDS = 3.0
SPINS = 40


class _OfItsOwn(ReferenceAdapter):
    """Has the generated stub at hand, as a bank that writes everything itself."""

    def configure(self, given: Json) -> Json:
        self.given = given
        return super().configure(given)

    @contextmanager
    def stub(self) -> Iterator[Any]:
        pem = [self.given[name].encode() for name in ("ca", "key", "certificate")]
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
        credentials = grpc.ssl_channel_credentials(*pem)
        with grpc.secure_channel(self.given["address"], credentials, options) as channel:
            yield reports_pb2_grpc.CitizenReportsStub(channel)


class OpensAndSubmits(ReferenceAdapter):
    """Hands a report without media in by two calls, which is right too."""

    def submit(self, given: Json) -> Json:
        report = ParseDict(given["report"], pb.OpenReportRequest())
        report.report_id = report.report_id or new_id()
        receipt = self.client._caller.run(self._flow(report))
        return {"report_id": report.report_id, "number": receipt.number}

    def _flow(self, report: pb.OpenReportRequest) -> Flow[pb.Receipt]:
        yield from OPEN_REPORT(report, Retries(call_seconds=2))
        submit = pb.SubmitReportRequest(report_id=report.report_id)
        return (yield from SUBMIT_REPORT(submit, Retries(call_seconds=2))).receipt


class NewIdAtEachAttempt(ReferenceAdapter):
    """Makes another id when an answer does not come."""

    def _new_client(self, given: Json) -> ReportsClient:
        pem = {name: given[name].encode() for name in ("ca", "certificate", "key")}
        once = Retries(
            call_seconds=1,
            total_seconds=SECONDS,
            first_pause_seconds=60,
            longest_pause_seconds=60,
        )
        self.once = ReportsClient(given["address"], Identity(**pem), retries=once)
        return super()._new_client(given)

    def submit(self, given: Json) -> Json:
        if given["media"]:
            return super().submit(given)
        report = ParseDict(given["report"], pb.OpenReportRequest())
        while True:
            try:
                receipt = self.once.hand_in(report)
            except NoAnswer:
                report.report_id = new_id()
            else:
                return {"report_id": report.report_id, "number": receipt.number}


class UploadsFromTheStart(_OfItsOwn):
    """Begins a file again at byte 0 after each break, whatever has arrived."""

    def submit(self, given: Json) -> Json:
        if not given["media"]:
            return super().submit(given)
        report = ParseDict(given["report"], pb.OpenReportRequest(report_id=new_id()))
        (content,) = (base64.b64decode(one["content"]) for one in given["media"])
        with self.stub() as stub:
            stub.OpenReport(report, timeout=SECONDS)
            while not self._uploaded(stub, report.report_id, content):
                pass
            submit = pb.SubmitReportRequest(report_id=report.report_id)
            receipt = stub.SubmitReport(submit, timeout=SECONDS).receipt
        return {"report_id": report.report_id, "number": receipt.number}

    def _uploaded(self, stub: Any, report_id: str, content: bytes) -> bool:
        upload = prepared(content, report_id)
        for offset in range(0, len(content), 2**19):
            piece = pb.PutMediaRequest(
                report_id=report_id,
                media_id=upload.media_id,
                offset=offset,
                content=upload.piece(offset),
                total_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                content_type=upload.content_type,
            )
            try:
                stub.PutMedia(piece, timeout=SECONDS, wait_for_ready=True)
            except grpc.RpcError:
                return False
        return True


class _AtOnce(Retries):
    def pause(self, repetitions: int, retry_after: float | None = None) -> float:
        return 0.1


class IgnoresRetryInfo(ReferenceAdapter):
    """Repeats soon, however long it was told to wait."""

    def _new_client(self, given: Json) -> ReportsClient:
        pem = {name: given[name].encode() for name in ("ca", "certificate", "key")}
        return ReportsClient(given["address"], Identity(**pem), retries=_AtOnce(call_seconds=1))


class ForgetsItsToken(_OfItsOwn):
    """Follows from the first change again after each break."""

    def _follow(self, client: ReportsClient) -> None:
        while client is self._client:
            seen: set[str] = set()
            with self.stub() as stub:
                self._read(stub, client, seen)

    def _read(self, stub: Any, client: ReportsClient, seen: set[str]) -> None:
        stream = stub.WatchReports(pb.WatchReportsRequest(resume_token="0"), timeout=SECONDS)
        try:
            for change in stream:
                if change.resume_token not in seen and client is self._client:
                    self._act_on(change)
                seen.add(change.resume_token)
        except grpc.RpcError:
            return


class ActsTwice(_OfItsOwn):
    """Goes on from its token, and does something about every change that comes."""

    def _follow(self, client: ReportsClient) -> None:
        token = 0
        while client is self._client:
            with self.stub() as stub:
                request = pb.WatchReportsRequest(resume_token=str(token))
                try:
                    for change in stub.WatchReports(request, timeout=SECONDS):
                        self._act_on(change)
                        token = max(token, int(change.resume_token))
                except grpc.RpcError:
                    continue


class _WithoutDeadline(Caller):
    def _carry_out(self, step: Call | Pause | Work) -> object:
        if not isinstance(step, Call):
            return super()._carry_out(step)
        with self._connections.stub() as stub:
            return getattr(stub, step.method)(step.request)


class WaitsForEver(ReferenceAdapter):
    """Sets no deadline."""

    def _new_client(self, given: Json) -> ReportsClient:
        client = super()._new_client(given)
        pem = {name: given[name].encode() for name in ("ca", "certificate", "key")}
        stub_of: Any = reports_pb2_grpc.CitizenReportsStub
        client._caller = _WithoutDeadline(given["address"], Identity(**pem), stub_of, ())
        return client


class SpinsWhenExpired(_OfItsOwn):
    """Connects again and again with a certificate that has ended."""

    def submit(self, given: Json) -> Json:
        try:
            return super().submit(given)
        except CertificateExpired:
            for _ in range(SPINS):
                self._try(given)
            raise

    def _try(self, given: Json) -> None:
        report = ParseDict(given["report"], pb.OpenReportRequest())
        with self.stub() as stub:
            try:
                stub.OpenReport(report, timeout=1)
            except grpc.RpcError:
                return


class ActsForEachWebhook(ReferenceAdapter):
    """Does something about a change again when its webhook comes again."""

    def configure(self, given: Json) -> Json:
        self.seen: set[str] = set()
        return super().configure(given)

    def webhook(self, body: bytes, headers: Mapping[str, str]) -> Json:
        answer, webhook_id = super().webhook(body, headers), headers["webhook-id"]
        if webhook_id in self.seen:
            self._acted_on.append(self._acted_on[-1])
        self.seen.add(webhook_id)
        return answer


class GoesBack(ReferenceAdapter):
    """Reads the changes again from where a late webhook says."""

    def _sequence_in(self, body: bytes, headers: Mapping[str, str]) -> str:
        sequence = super()._sequence_in(body, headers)
        if int(sequence) < int(self._tokens.load() or "0"):
            self._tokens.save(str(int(sequence) - 1))
        return sequence


class BelievesEverybody(ReferenceAdapter):
    """Looks at the time of a webhook, and at no signature."""

    def _sequence_in(self, body: bytes, headers: Mapping[str, str]) -> str:
        if abs(int(headers["webhook-timestamp"]) - time.time()) > TOLERANCE_SECONDS:
            raise WebhookRefused("too old")
        return str(json.loads(body)["data"]["sequence"])


class TakesOldWebhooks(ReferenceAdapter):
    """Looks at the signature of a webhook, and at no time."""

    def _sequence_in(self, body: bytes, headers: Mapping[str, str]) -> str:
        now = float(headers["webhook-timestamp"])
        return read_webhook(body, headers, self._secrets, now=now).sequence


class KnowsOneSecret(ReferenceAdapter):
    """Forgets the secret before the newest at once."""

    def _sequence_in(self, body: bytes, headers: Mapping[str, str]) -> str:
        return read_webhook(body, headers, self._secrets[:1]).sequence


WRONG: dict[str, type[ReferenceAdapter]] = {
    "lost-answer": NewIdAtEachAttempt,
    "cut-upload": UploadsFromTheStart,
    "overload": IgnoresRetryInfo,
    "stream-cut": ForgetsItsToken,
    "changes-twice": ActsTwice,
    "deadlines": WaitsForEver,
    "certificate-expired": SpinsWhenExpired,
    "webhook-twice": ActsForEachWebhook,
    "webhooks-out-of-order": GoesBack,
    "webhook-signature": BelievesEverybody,
    "webhook-expired": TakesOldWebhooks,
    "webhook-secrets-overlap": KnowsOneSecret,
}
