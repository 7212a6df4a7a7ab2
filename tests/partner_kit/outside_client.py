"""A bank's client, written from docs/partners.md and proto/ alone, as somebody outside writes it.

It imports nothing of this repository but the stubs that were made beside it. It hands in a report
of each kind in each language with a photograph, a film and a voice message, follows all of them on
one stream, replies, disputes and withdraws, moves the sandbox's clock, and prints as JSON what it
saw of each report.

    python outside_client.py REPORTS CONTROL CA.pem CLIENT.pem CLIENT.key PHOTOGRAPH FILM VOICE
"""

import concurrent.futures
import hashlib
import json
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1 import reports_pb2_grpc
from uuid6 import uuid7 as new_id

address, control, ca, certificate, key, *files = sys.argv[1:]
TYPES = ("image/jpeg", "video/mp4", "audio/mp4")
MEDIA = [(Path(file).read_bytes(), kind) for file, kind in zip(files, TYPES, strict=True)]
PIECE_BYTES = 512 * 1024
CALL_SECONDS, PIECE_SECONDS = 10, 60
FOLLOW_SECONDS = 400
PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
TEXTS = {
    "kk": "Көшеде шам құлап жатыр, көмектесіңіздерші.",
    "ru": "На улице упал фонарь, помогите.",
    "en": "A street lamp lies across the pavement.",
}
WORDS = {
    ("kk", pb.CATEGORY_INCIDENT): "sandbox:ask",
    ("ru", pb.CATEGORY_COMPLAINT_ABOUT_OFFICER): "sandbox:ask",
    ("en", pb.CATEGORY_ROAD_ACCIDENT): "sandbox:answer_lost",
    ("kk", pb.CATEGORY_TRAFFIC_VIOLATION): "sandbox:overloaded",
    ("en", pb.CATEGORY_TRAFFIC_VIOLATION): "sandbox:manual",
    ("ru", pb.CATEGORY_DOMESTIC_VIOLENCE): "sandbox:upload_broken",
    ("en", pb.CATEGORY_DOMESTIC_VIOLENCE): "sandbox:protected",
    ("kk", pb.CATEGORY_OTHER): "sandbox:stream_broken",
    ("ru", pb.CATEGORY_OTHER): "sandbox:not_confirmed",
    ("en", pb.CATEGORY_OTHER): "sandbox:extend",
    ("ru", pb.CATEGORY_INCIDENT_WITH_CHILD): "sandbox:storage_away",
}
DISPUTED = ("ru", pb.CATEGORY_TRAFFIC_VIOLATION)
WITHDRAWN = ("en", pb.CATEGORY_TRAFFIC_VIOLATION)

credentials = grpc.ssl_channel_credentials(
    *(Path(path).read_bytes() for path in (ca, key, certificate))
)
desk = reports_pb2_grpc.CitizenReportsStub(grpc.secure_channel(address, credentials))


def details_of(error: Any) -> tuple[str | None, float | None]:
    """The reason of a refusal, and the pause in seconds that it asks for; None without one."""
    reason: str | None = None
    pause: float | None = None
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(retry):
            pause = retry.retry_delay.ToMilliseconds() / 1000
    return reason, pause


def patiently(method: Any, request: Any, seconds: float = CALL_SECONDS) -> Any:
    """The same request again for as long as nobody knows what became of it."""
    for pause in (1, 2, 4, 8, 8, 8, 8, 8):
        try:
            return method(request, timeout=seconds)
        except grpc.RpcError as error:
            if error.code() not in PASSING:
                raise
            reason, asked = details_of(error)
            met.add(reason or error.code().name)
            time.sleep(asked or pause)
    return method(request, timeout=seconds)


class Followed(threading.Thread):
    """The changes of all reports: each is kept once, whatever breaks in between."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.token, self.breaks = "0", 0
        self.seen: dict[str, list[Any]] = {}
        self.changed = threading.Condition()

    def run(self) -> None:
        while True:
            try:
                for change in desk.WatchReports(pb.WatchReportsRequest(resume_token=self.token)):
                    with self.changed:
                        self.seen.setdefault(change.report_id, []).append(change.status)
                        self.token = change.resume_token
                        self.changed.notify_all()
            except grpc.RpcError as error:
                if error.code() not in PASSING:
                    raise
                self.breaks += 1
            time.sleep(0.5)

    def wait(self, reports: list[str], status: Any) -> None:
        """Wait until the stream has told of this status of all these reports."""
        with self.changed:
            done = self.changed.wait_for(
                lambda: all(status in self.seen.get(one, ()) for one in reports), FOLLOW_SECONDS
            )
        if not done:
            late = {one: self.seen.get(one) for one in reports}
            sys.exit(f"never {pb.ReportStatus.Name(status)}: {late}")


def upload(report_id: str, content: bytes, content_type: str) -> None:
    request = pb.PutMediaRequest(
        report_id=report_id,
        media_id=str(new_id()),
        total_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content_type=content_type,
    )
    received = 0
    while received < len(content):
        request.offset = received
        request.content = content[received : received + PIECE_BYTES]
        received = patiently(desk.PutMedia, request, PIECE_SECONDS).received_bytes


def hand_in(language: str, category: Any) -> str:
    report = pb.OpenReportRequest(
        report_id=str(new_id()),
        category=category,
        place=common_pb2.Place(latitude=43.2389, longitude=76.9286, region="KZ-75"),
        text=f"{TEXTS[language]} {WORDS.get((language, category), '')}",
        language=language,
    )
    report.occurred_at.GetCurrentTime()
    if category == pb.CATEGORY_COMPLAINT_ABOUT_OFFICER:
        report.officer = "Sample Officer, badge 000000"
    patiently(desk.OpenReport, report)
    for content, content_type in MEDIA:
        upload(report.report_id, content, content_type)
    receipt = patiently(desk.SubmitReport, pb.SubmitReportRequest(report_id=report.report_id))
    assert receipt.receipt.number and receipt.receipt.due_at.seconds
    return report.report_id


def get(report_id: str) -> pb.Report:
    answer: pb.GetReportResponse = patiently(
        desk.GetReport, pb.GetReportRequest(report_id=report_id)
    )
    return answer.report


def tell(path: str, body: dict[str, str]) -> Any:
    """Tell the sandbox something."""
    content = json.dumps(body).encode()
    request = urllib.request.Request(control + path, content, method="POST")
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


met: set[str] = set()
follower = Followed()
follower.start()

wanted = [(language, category) for language in TEXTS for category in pb.Category.values()[1:]]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    ids = dict(zip(wanted, pool.map(lambda pair: hand_in(*pair), wanted), strict=True))

asked = [ids[pair] for pair, word in WORDS.items() if word == "sandbox:ask"]
follower.wait(asked, pb.REPORT_STATUS_WAITS_FOR_REPORTER)
for report_id in asked:
    report = get(report_id)
    assert report.question and "reply" in report.actions
    reply = pb.ReplyToQuestionRequest(
        report_id=report_id, text="At house 44.", reply_id=str(new_id())
    )
    assert patiently(desk.ReplyToQuestion, reply) == patiently(desk.ReplyToQuestion, reply)

withdrawn = ids[WITHDRAWN]
assert "withdraw" in get(withdrawn).actions
patiently(desk.WithdrawReport, pb.WithdrawReportRequest(report_id=withdrawn))
follower.wait([withdrawn], pb.REPORT_STATUS_WITHDRAWN)

handled = [report_id for report_id in ids.values() if report_id != withdrawn]
follower.wait(handled, pb.REPORT_STATUS_ANSWERED)
disputed = ids[DISPUTED]
assert "dispute" in get(disputed).actions
dispute = pb.DisputeAnswerRequest(
    report_id=disputed, text="It still lies there.", dispute_id=str(new_id())
)
patiently(desk.DisputeAnswer, dispute)
follower.wait([disputed], pb.REPORT_STATUS_DISPUTED)
while get(disputed).status != pb.REPORT_STATUS_ANSWERED:
    time.sleep(1)

tell("/clock", {"by": "P31D"})  # an answer may be disputed for thirty days
follower.wait(handled, pb.REPORT_STATUS_CLOSED)
print(
    json.dumps(
        {
            "met": sorted(met),
            "breaks": follower.breaks,
            "imported": sorted(name for name in sys.modules if "tartip" in name),
            "stubs": pb.__file__,
            "reports": [
                {
                    "language": language,
                    "category": pb.Category.Name(category).removeprefix("CATEGORY_").lower(),
                    "word": WORDS.get((language, category), ""),
                    "statuses": [
                        pb.ReportStatus.Name(status).removeprefix("REPORT_STATUS_").lower()
                        for status in follower.seen[report_id]
                    ],
                    "media": [one.state for one in get(report_id).media],
                    "outcome": get(report_id).closing_outcome,
                    "answer": get(report_id).answer,
                    "extended": get(report_id).HasField("extended_at"),
                }
                for (language, category), report_id in ids.items()
            ],
        }
    )
)
