"""Sequences of calls for the demonstration and tests: from a camera's frame to a paid fine, and
from a citizen's report to its answer.

A client creates the id of a request before it sends the request. While the mesh is unavailable,
`patiently` can therefore safely repeat a call.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import functools
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from chassis.channels import peers_refusals, refusals_of
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.refusals import Kind, Refusal
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from law.zone import almaty_day
from tartip.common.v1 import common_pb2 as common
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

from tartip_cli.clients.partner import Answer, Outside
from tartip_cli.provision.certificates import KeyPair
from tartip_cli.topology import CITIZEN_REPORTS, FINES, INFERENCE_GATEWAY

PIECE_BYTES = 64 * 1024
REVIEW, TRIAGE = "demonstration: review", "demonstration: triage"
_CALL_SECONDS = 10.0
_LOOK_SECONDS = 30.0
_POLL_SECONDS = 0.3
_PAUSES = (0.2, 0.5, 1.0, 2.0)
PASSING = (Kind.UNAVAILABLE, Kind.TIMEOUT, Kind.OVERLOADED)
_PAGE = 200

T = TypeVar("T")


class NotInTime(Exception):
    """An expected result did not arrive in time. The message names the result."""


async def patiently(step: Callable[[], Awaitable[T]], *, seconds: float = 60.0) -> T:
    """Return the step's result. While the mesh is unavailable or busy, the step is repeated for at
    most `seconds`. A refusal for any other reason is raised immediately."""
    until, tried = time.monotonic() + seconds, 0
    while True:
        try:
            return await step()
        except Refusal as refusal:
            if refusal.kind not in PASSING or time.monotonic() > until:
                raise
        await asyncio.sleep(_PAUSES[min(tried, len(_PAUSES) - 1)])
        tried += 1


async def wait_for(
    what: str, look: Callable[[], Awaitable[T | None]], *, seconds: float = 60.0
) -> T:
    """Call `look` until it returns a result other than None, and return this result. Raises
    NotInTime after `seconds`; its message names `what`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = await patiently(look, seconds=max(1.0, until - time.monotonic()))
        if found is not None:
            return found
        await asyncio.sleep(_POLL_SECONDS)
    raise NotInTime(f"{what} did not come within {seconds:.0f} s")


@dataclass
class FrameToTenge:
    """The calls by which a frame with signed readings leads to a paid fine. The device, the
    inspector and the bank make these calls."""

    outside: Outside
    camera_id: str
    picture: bytes
    signed: inference_pb2.SignedReadings
    inspector: str = "inspector-almaty"
    bank: str = "kaspi"
    frame_id: str = field(default_factory=lambda: str(new_id()))
    decision_id: str = field(default_factory=lambda: str(new_id()))
    payment_id: str = field(default_factory=lambda: str(new_id()))
    _signed: dict[str, dict[str, str]] = field(default_factory=dict)

    async def send_frame(self) -> inference_pb2.FrameResult:
        stub = inference_pb2_grpc.InferenceStub(self.outside.as_device("edge-1", INFERENCE_GATEWAY))
        request = inference_pb2.IngestFrameRequest(
            frame_id=self.frame_id,
            camera_id=self.camera_id,
            captured_at=self.signed.readings.device_time,
            picture=self.picture,
            readings=self.signed,
        )
        with peers_refusals():
            answer = await stub.IngestFrame(request, timeout=_LOOK_SECONDS)
        return answer.result

    async def find_in_queue(self, evidence_sha256: str) -> Answer | None:
        """Return the violation that waits for review and has this frame as evidence. None if there
        is no such violation. `evidence_sha256` is the SHA-256 (hex) of the sent frame."""
        found = await self.violations_of(evidence_sha256, state="review")
        return found[0] if found else None

    async def violations_of(self, evidence_sha256: str, **query: str) -> list[Answer]:
        """Return all violations that have this frame as evidence; at most one is expected.
        `evidence_sha256` is the SHA-256 (hex) of the frame, `query` has further parameters of `GET
        /v1/violations`."""
        desk, token, found = self.outside.as_operator(self.inspector), "", list[Answer]()
        while True:
            page = await desk.get("/v1/violations", page_size=_PAGE, page_token=token, **query)
            found += [
                Answer(violation, page.trace_id)
                for violation in page.body["violations"]
                if evidence_sha256 in violation["original_sha256"]
            ]
            token = page.body["next_page_token"]
            if not token:
                return found

    async def violation(self, violation_id: str) -> Answer:
        desk = self.outside.as_operator(self.inspector)
        return await desk.get(f"/v1/violations/{violation_id}", purpose=REVIEW)

    async def decide(self, violation_id: str, verdict: str = "confirm", reason: str = "") -> Answer:
        """Prepare a decision on a violation, sign it with the inspector's key and submit it.
        Returns the gateway's answer. `verdict` is "confirm" or "reject"; `reason` is the stated
        reason of the decision. Can be repeated safely. Raises Refusal if the gateway refuses the
        decision."""
        desk = self.outside.as_operator(self.inspector)
        if violation_id not in self._signed:
            prepared = await desk.post(
                f"/v1/violations/{violation_id}/decision/prepare",
                {"verdict": verdict, "reason": reason},
                purpose=REVIEW,
            )
            canonical = base64.b64decode(prepared.body["canonical"])
            self._signed[violation_id] = self.signature_over(canonical)
        body = {"decision_id": self.decision_id, **self._signed[violation_id]}
        return await desk.post(f"/v1/violations/{violation_id}/{verdict}", body, purpose=REVIEW)

    def signature_over(self, canonical: bytes) -> dict[str, str]:
        pair = self.outside.certificates.officer(self.inspector)
        parts = {
            "canonical": canonical,
            "signature": sign(pair, canonical),
            "certificate": pair.certificate.read_bytes(),
        }
        return {name: base64.b64encode(part).decode() for name, part in parts.items()}

    async def find_fine(self, violation_id: str, state: str = "delivered") -> Answer | None:
        desk = self.outside.as_operator(self.inspector)
        page = await desk.get("/v1/fines", violation_id=violation_id)
        for fine in page.body["fines"]:
            if fine["state"] == state or fine["hold_reason"]:
                return Answer(fine, page.trace_id)
        return None

    async def look_up(self, owner: str) -> list[fines_pb2.Fine]:
        request = fines_pb2.LookupFinesRequest(
            owner=owner, reason=fines_pb2.LOOKUP_REASON_OWNER, customer_id=str(new_id())
        )
        with peers_refusals():
            answer = await self._payments.LookupFines(request, timeout=_CALL_SECONDS)
        return list(answer.fines)

    async def quote(self, number: str) -> fines_pb2.Quote:
        request = fines_pb2.QuoteFineRequest(number=number)
        with peers_refusals():
            answer = await self._payments.QuoteFine(request, timeout=_CALL_SECONDS)
        return answer.quote

    async def pay(self, quote: fines_pb2.Quote) -> fines_pb2.Payment:
        """Pay the amount of a quote as the bank, and return the payment. Can be repeated safely,
        since the id of the payment stays the same. Raises Refusal if the service refuses the
        payment."""
        request = fines_pb2.PayFineRequest(
            payment_id=self.payment_id,
            number=quote.number,
            amount=quote.amount_now,
            bank_reference=self.payment_id.replace("-", "")[:20].upper(),
            value_date=almaty_day(system_clock()).isoformat(),
        )
        with peers_refusals():
            answer = await self._payments.PayFine(request, timeout=_CALL_SECONDS)
        return answer.payment

    @property
    def _payments(self) -> fines_pb2_grpc.FinePaymentsAsyncStub:
        return fines_pb2_grpc.FinePaymentsStub(self.outside.as_partner(self.bank, FINES))


@dataclass
class ReportToAnswer:
    """The calls by which a citizen's report is opened, handled and answered. The citizen's app and
    the dispatcher make these calls."""

    outside: Outside
    request: reports_pb2.OpenReportRequest
    picture: bytes = b""
    app: str = "egov"
    dispatcher: str = "dispatcher-almaty"
    media_id: str = field(default_factory=lambda: str(new_id()))

    @property
    def report_id(self) -> str:
        return self.request.report_id

    async def open(self) -> reports_pb2.Report:
        with peers_refusals():
            answer = await self._reports.OpenReport(self.request, timeout=_CALL_SECONDS)
        return answer.report

    async def put_piece(self, offset: int) -> reports_pb2.PutMediaResponse:
        request = reports_pb2.PutMediaRequest(
            report_id=self.report_id,
            media_id=self.media_id,
            offset=offset,
            content=self.picture[offset : offset + PIECE_BYTES],
            total_bytes=len(self.picture),
            sha256=hashlib.sha256(self.picture).hexdigest(),
            content_type="image/jpeg",
        )
        with peers_refusals():
            return await self._reports.PutMedia(request, timeout=_CALL_SECONDS)

    async def upload(self) -> int:
        """Upload the report's picture in pieces, and return the number of pieces sent. The service
        reports how many bytes it has received; the next piece begins after these bytes."""
        received, pieces = 0, 0
        while received < len(self.picture):
            answer = await patiently(functools.partial(self.put_piece, received))
            received, pieces = answer.received_bytes, pieces + 1
        return pieces

    async def submit(self) -> reports_pb2.Receipt:
        request = reports_pb2.SubmitReportRequest(report_id=self.report_id)
        with peers_refusals():
            answer = await self._reports.SubmitReport(request, timeout=_CALL_SECONDS)
        return answer.receipt

    async def report(self) -> reports_pb2.Report:
        request = reports_pb2.GetReportRequest(report_id=self.report_id)
        with peers_refusals():
            answer = await self._reports.GetReport(request, timeout=_CALL_SECONDS)
        return answer.report

    async def find_on_desk(self) -> Answer | None:
        """Return the report as the dispatcher sees it. None until the report is routed to a unit
        and all its media are stored as evidence."""
        desk = self.outside.as_operator(self.dispatcher)
        answer = await desk.get(f"/v1/reports/{self.report_id}", purpose=TRIAGE)
        found = answer.body["report"]
        ready = found["report"]["status"] == "routed"
        stored = all(media["evidence_sha256"] for media in found["media"])
        return Answer(found, answer.trace_id) if ready and stored else None

    async def act(self, step: str, **body: str) -> Answer:
        """Perform a step of the dispatcher's work on the report, and return the gateway's answer.
        `step` is the last part of the REST path, such as `take` or `answer`, and `body` has the
        fields of the request."""
        desk = self.outside.as_operator(self.dispatcher)
        answer = await desk.post(f"/v1/reports/{self.report_id}/{step}", body, purpose=TRIAGE)
        return Answer(answer.body["report"], answer.trace_id)

    @property
    def _reports(self) -> reports_pb2_grpc.CitizenReportsAsyncStub:
        return reports_pb2_grpc.CitizenReportsStub(
            self.outside.as_partner(self.app, CITIZEN_REPORTS)
        )


class Watcher:
    """Collects in `seen` the status changes that a citizens' app receives as a stream. After an
    interruption, the stream continues after the last received change."""

    def __init__(self, outside: Outside, app: str = "egov", resume_token: str = "") -> None:
        self.seen: list[reports_pb2.WatchReportsResponse] = []
        self._outside = outside
        self._app = app
        self._token = resume_token

    async def run(self) -> None:
        """Read the stream until cancelled. After an interruption, or while the service is
        unavailable or busy, the stream is opened again. Any other refusal is raised as Refusal."""
        channel = self._outside.as_partner(self._app, CITIZEN_REPORTS)
        stub = reports_pb2_grpc.CitizenReportsStub(channel)
        while True:
            request = reports_pb2.WatchReportsRequest(resume_token=self._token)
            try:
                async for change in refusals_of(stub.WatchReports(request)):
                    self.seen.append(change)
                    self._token = change.resume_token
            except Refusal as refusal:
                if refusal.kind not in PASSING:
                    raise
            await asyncio.sleep(_POLL_SECONDS)

    async def saw(self, report_id: str, status: int) -> reports_pb2.WatchReportsResponse | None:
        matching = (c for c in self.seen if c.report_id == report_id and c.status == status)
        return next(matching, None)


def open_report(
    *,
    category: int,
    text: str,
    reporter: reports_pb2.Reporter,
    region: str = "KZ-75",
    address: str = "",
) -> reports_pb2.OpenReportRequest:
    return reports_pb2.OpenReportRequest(
        report_id=str(new_id()),
        category=category,  # type: ignore[arg-type]
        place=common.Place(latitude=43.2330, longitude=76.9560, region=region, address=address),
        occurred_at=to_timestamp(system_clock() - dt.timedelta(minutes=4)),
        text=text,
        reporter=reporter,
        language="ru",
    )


def sign(pair: KeyPair, content: bytes) -> bytes:
    """Sign `content` with the key of `pair`, as an officer's card does: ECDSA P-256 with SHA-256.
    Returns the signature in DER."""
    key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(content, ec.ECDSA(hashes.SHA256()))
