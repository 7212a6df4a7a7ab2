"""Frames are opened through the violation that owns them; who must not see is seen trying."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2
from tartip.reports.v1 import events_pb2 as report_events
from tartip.reports.v1 import reports_pb2
from tartip.violations.v1 import events_pb2
from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .callers import refused

As = Callable[..., Any]
Wait = Callable[..., Awaitable[list[pb.Violation]]]


@dataclass
class Frame:
    """What a camera sent, and what is shown of it."""

    content: bytes = field(default_factory=lambda: secrets.token_bytes(40))
    original_sha256: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def shown_sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@pytest.fixture
def frame(peers: Any) -> Frame:
    """In the store of evidence."""
    made = Frame()
    peers.frames[made.original_sha256] = (made.shown_sha256, made.content)
    return made


Violations = Callable[..., Awaitable[str]]


@pytest.fixture
def violation_of(
    publisher: Any, plate_read: Any, camera: cameras_pb2.Camera, violations_of: Wait
) -> Violations:
    """The id of a violation in review whose evidence is this frame."""

    async def make(frame: Frame, *, of_before: bool = False) -> str:
        event = plate_read()
        event.evidence_sha256 = frame.original_sha256
        event.shown_sha256 = "" if of_before else frame.shown_sha256
        await publisher.read(event)
        return (await violations_of(camera.camera_id))[-1].violation_id

    return make


async def audited(engines: RunningTestMesh, action: str, violation_id: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(engines.database.url)
    rows = await connection.fetch("SELECT canonical FROM violations.audit ORDER BY position")
    await connection.close()
    entries = [json.loads(row["canonical"]) for row in rows]
    return [
        one
        for one in entries
        if one["action"] == action and one["object"] == f"violation:{violation_id}"
    ]


async def test_a_frame_is_opened_through_its_violation_and_audited(
    as_: As, peers: Any, frame: Frame, violation_of: Violations, engines: RunningTestMesh
) -> None:
    violation_id = await violation_of(frame)
    inspector = as_(operator="inspector-almaty", purpose="12-істі қарау")
    answers = await inspector.open(violation_id, frame.shown_sha256)
    assert b"".join(answer.content for answer in answers) == frame.content
    first = answers[0]
    assert (first.content_type, first.size_bytes) == ("image/jpeg", 40)
    assert (first.sha256, first.original_sha256) == (frame.shown_sha256, frame.original_sha256)
    assert peers.read[-1] == (frame.original_sha256, "12-істі қарау"), "the purpose travels on"
    [entry] = await audited(engines, "open_evidence", violation_id)
    assert (entry["actor"], entry["purpose"]) == ("operator/inspector-almaty", "12-істі қарау")
    assert (entry["region"], entry["facts"]) == ("KZ-75", {"sha256": frame.original_sha256})


async def test_nothing_is_read_where_the_entry_cannot_be_written(
    inspector: Any, peers: Any, frame: Frame, violation_of: Violations, engines: RunningTestMesh
) -> None:
    violation_id = await violation_of(frame)
    read = len(peers.read)
    admin = await asyncpg.connect(engines.database.url)
    await admin.execute("REVOKE INSERT ON violations.audit FROM violations_runtime")
    try:
        refusal = await refused(inspector.open(violation_id, frame.shown_sha256))
    finally:
        await admin.execute("GRANT INSERT ON violations.audit TO violations_runtime")
        await admin.close()
    assert (refusal.code, len(peers.read)) == ("INTERNAL", read)


async def test_the_hash_that_is_signed_is_of_what_is_shown_and_the_originals_stands_beside_it(
    inspector: Any, frame: Frame, violation_of: Violations, prepared: Any
) -> None:
    violation_id = await violation_of(frame)
    get = pb.GetViolationRequest(violation_id=violation_id)
    violation = (await inspector.call("GetViolation", get)).violation
    assert list(violation.evidence_sha256) == [frame.shown_sha256]
    assert list(violation.original_sha256) == [frame.original_sha256]
    request = await prepared(violation_id)
    signed = json.loads(request.canonical)
    assert signed["evidence_sha256"] == [frame.shown_sha256]
    assert signed["original_sha256"] == [frame.original_sha256]
    await inspector.call("ConfirmViolation", request)


async def known(inspector: Any, violation_id: str, frame: Frame) -> pb.Violation:
    """The violation, once it has learnt the shown form of its frame."""
    get = pb.GetViolationRequest(violation_id=violation_id)
    async with asyncio.timeout(60):
        while True:
            found = (await inspector.call("GetViolation", get)).violation
            if list(found.evidence_sha256) == [frame.shown_sha256]:
                return found  # type: ignore[no-any-return]
            await asyncio.sleep(0.1)


async def test_a_violation_of_before_learns_the_shown_form_of_its_frame(
    inspector: Any, peers: Any, violation_of: Violations, prepared: Any
) -> None:
    frame = Frame()  # the store is away, for this one
    peers.held_back.add(frame.original_sha256)
    violation_id = await violation_of(frame, of_before=True)
    get = pb.GetViolationRequest(violation_id=violation_id)
    before = (await inspector.call("GetViolation", get)).violation
    assert list(before.evidence_sha256) == list(before.original_sha256) == [frame.original_sha256]
    early = await prepared(violation_id)
    peers.frames[frame.original_sha256] = (frame.shown_sha256, frame.content)
    peers.held_back.clear()
    after = await known(inspector, violation_id, frame)
    assert list(after.original_sha256) == [frame.original_sha256]
    assert after.version == before.version + 1
    refusal = await refused(inspector.call("ConfirmViolation", early))
    assert refusal.code == "DECISION_NOT_PREPARED", "signed before it was known what is shown"
    await inspector.call("ConfirmViolation", await prepared(violation_id))
    assert ("the form of evidence that officers are shown") in {why for _, why in peers.read}


async def test_what_was_signed_before_stays_as_it_was_signed(
    inspector: Any, peers: Any, violation_of: Violations, prepared: Any, engines: RunningTestMesh
) -> None:
    frame = Frame()
    peers.held_back.add(frame.original_sha256)
    violation_id = await violation_of(frame, of_before=True)
    signed = (await inspector.call("ConfirmViolation", await prepared(violation_id))).violation
    peers.frames[frame.original_sha256] = (frame.shown_sha256, frame.content)
    peers.held_back.clear()
    await done(engines, violation_id)
    get = pb.GetViolationRequest(violation_id=violation_id)
    assert (await inspector.call("GetViolation", get)).violation == signed
    answers = await inspector.open(violation_id, frame.original_sha256)
    assert (answers[0].sha256, answers[0].original_sha256) == (
        frame.shown_sha256,
        frame.original_sha256,
    )


async def done(engines: RunningTestMesh, violation_id: str) -> None:
    """Waits until the work on the forms of a violation is done."""
    connection = await asyncpg.connect(engines.database.url)
    query = "SELECT done_at FROM violations.work WHERE kind = 'learn_forms' AND key = $1"
    async with asyncio.timeout(30):
        while await connection.fetchval(query, violation_id) is None:
            await asyncio.sleep(0.1)
    await connection.close()


async def test_a_frame_that_cannot_be_shown_keeps_its_violation_as_it_is(
    inspector: Any, violation_of: Violations, engines: RunningTestMesh
) -> None:
    nowhere = Frame()
    violation_id = await violation_of(nowhere, of_before=True)
    await done(engines, violation_id)
    get = pb.GetViolationRequest(violation_id=violation_id)
    violation = (await inspector.call("GetViolation", get)).violation
    assert list(violation.evidence_sha256) == [nowhere.original_sha256]


async def test_the_same_picture_in_another_file_stands_in_one_violation_alone(
    frame: Frame,
    publisher: Any,
    plate_read: Any,
    new_camera: Any,
    violation_of: Violations,
    engines: RunningTestMesh,
) -> None:
    """What was written around it differs, and with that the hash of the original."""
    violation_id = await violation_of(frame)
    again = plate_read(by=new_camera())
    again.evidence_sha256, again.shown_sha256 = secrets.token_hex(32), frame.shown_sha256
    await publisher.read(again)
    async with asyncio.timeout(60):
        while not (entries := await audited(engines, "refuse_evidence", violation_id)):
            await asyncio.sleep(0.1)
    assert entries[0]["facts"]["evidence"] == frame.shown_sha256


async def test_a_violation_of_before_whose_picture_stands_in_another_is_held(
    inspector: Any,
    frame: Frame,
    peers: Any,
    violation_of: Violations,
    publisher: Any,
    plate_read: Any,
    new_camera: Any,
    violations_of: Wait,
    engines: RunningTestMesh,
) -> None:
    """That they show one picture is known once both have been looked at."""
    first_id = await violation_of(frame)
    other = Frame(content=frame.content)
    peers.frames[other.original_sha256] = (other.shown_sha256, other.content)
    read = plate_read(by=new_camera(), evidence=other.original_sha256)
    await publisher.read(read)
    [second] = await violations_of(read.camera_id)
    second_id = second.violation_id
    await done(engines, second_id)
    first, second = [
        (await inspector.call("GetViolation", pb.GetViolationRequest(violation_id=one))).violation
        for one in (first_id, second_id)
    ]
    assert (first.hold_reason, second.hold_reason) == ("", "EVIDENCE_REUSED")
    assert list(second.evidence_sha256) == [other.original_sha256]
    assert list(second.conflicting_violation_ids) == [first_id]
    assert list(first.conflicting_violation_ids) == [second_id]
    assert (first.version, second.version) == (2, 2)  # what was prepared before is void
    [entry] = await audited(engines, "hold", second_id)
    assert entry["facts"]["conflicting"] == first_id


async def test_a_frame_of_another_violation_is_not_opened_through_mine(
    inspector: Any, frame: Frame, violation_of: Violations, engines: RunningTestMesh, peers: Any
) -> None:
    violation_id = await violation_of(frame)
    other, read = Frame(), len(peers.read)
    peers.frames[other.original_sha256] = (other.shown_sha256, other.content)
    for sha256 in (other.shown_sha256, other.original_sha256, "", "nonsense"):
        refusal = await refused(inspector.open(violation_id, sha256))
        assert refusal.code == "EVIDENCE_NOT_FOUND"
    assert len(peers.read) == read
    assert len(await audited(engines, "open_refused", violation_id)) == 4


async def test_a_store_that_refuses_is_told_by_its_own_name(
    inspector: Any, violation_of: Violations
) -> None:
    nowhere = Frame()
    violation_id = await violation_of(nowhere)
    refusal = await refused(inspector.open(violation_id, nowhere.shown_sha256))
    assert refusal.code == "EVIDENCE_NOT_FOUND"


@pytest.mark.parametrize("method", ["GetViolation", "PrepareDecision", "OpenEvidence"])
async def test_an_attempt_to_open_another_regions_is_recorded_and_told_without_saying_what(
    as_: As,
    frame: Frame,
    violation_of: Violations,
    engines: RunningTestMesh,
    method: str,
    facts_about: Callable[..., Awaitable[list[Any]]],
) -> None:
    violation_id = await violation_of(frame)
    stranger = as_(operator="inspector-astana", purpose="любопытство")
    for asked in (violation_id, str(new_id())):
        call = (
            stranger.open(asked, frame.shown_sha256)
            if method == "OpenEvidence"
            else stranger.call(method, request_of(method, asked))
        )
        assert (await refused(call)).code == "VIOLATION_NOT_FOUND"
    [entry] = await audited(engines, "open_refused", violation_id)
    assert (entry["actor"], entry["purpose"]) == ("operator/inspector-astana", "любопытство")
    assert (entry["region"], entry["facts"]) == ("KZ-75", {"record": "hidden"})
    [unknown] = await audited(engines, "open_refused", asked)
    assert unknown["facts"] == {"record": "unknown"}
    [message] = await facts_about(f"attempt:{entry['id']}", count=1)
    assert message.subject == "violations.v1.access_refused"
    told = events_pb2.AccessRefused.FromString(message.data)
    assert (told.attempt_id, told.region) == (entry["id"], "KZ-75")
    for secret in (violation_id, "inspector-astana", "любопытство"):
        assert secret.encode() not in message.data and secret not in str(message.headers)


def request_of(method: str, violation_id: str) -> Any:
    if method == "GetViolation":
        return pb.GetViolationRequest(violation_id=violation_id)
    return pb.PrepareDecisionRequest(violation_id=violation_id, verdict=pb.VERDICT_CONFIRM)


async def test_whatever_answers_with_a_plate_needs_a_purpose(
    as_: As, frame: Frame, violation_of: Violations, prepared: Any
) -> None:
    violation_id = await violation_of(frame)
    request, silent = await prepared(violation_id), as_(operator="inspector-almaty", purpose="")
    annul = as_(operator="supervisor-almaty", purpose="")
    calls = [
        silent.call("GetViolation", request_of("GetViolation", violation_id)),
        silent.call("PrepareDecision", request_of("PrepareDecision", violation_id)),
        silent.call("ConfirmViolation", request),
        annul.call("AnnulViolation", pb.AnnulViolationRequest(violation_id=violation_id)),
        silent.open(violation_id, frame.shown_sha256),
    ]
    for call in calls:
        assert (await refused(call)).code == "PURPOSE_REQUIRED"
    await silent.call("ListViolations", pb.ListViolationsRequest())


@pytest.mark.parametrize("operator", ["dispatcher-almaty", "finance-1", "watchlist-1", "cameras-1"])
async def test_other_roles_open_nothing(
    as_: As, frame: Frame, violation_of: Violations, operator: str
) -> None:
    violation_id = await violation_of(frame)
    stranger = as_(operator=operator)
    assert (await refused(stranger.open(violation_id, frame.shown_sha256))).code == "NOT_ALLOWED"


async def test_a_citizens_frames_keep_both_hashes_in_their_order(
    publisher: Any, peers: Any, violations_of: Wait, inspector: Any, engines: RunningTestMesh
) -> None:
    frames = [Frame(), Frame()]
    for one in frames:
        peers.frames[one.original_sha256] = (one.shown_sha256, one.content)
    report = reports_pb2.DeskReport(
        report=reports_pb2.Report(report_id=str(new_id())),
        accepted_plate="453 DXA 02",
        accepted_offence_code="SIGN_MARKING",
        story="77" * 16,
        media=[
            reports_pb2.Media(
                evidence_sha256=frames[0].original_sha256, shown_sha256=frames[0].shown_sha256
            ),
            reports_pb2.Media(),
            reports_pb2.Media(evidence_sha256=frames[1].original_sha256),
        ],
    )
    report.place.region = "KZ-75"
    report.occurred_at.GetCurrentTime()
    peers.reports[report.report.report_id] = report
    event = report_events.TrafficEvidenceAccepted(report_id=report.report.report_id, region="KZ-75")
    subject = "reports.v1.traffic_evidence_accepted"
    await publisher.send(subject, event, user="citizen-reports")
    [listed] = await violations_of(report_id=report.report.report_id)
    assert list(listed.original_sha256) == [one.original_sha256 for one in frames]
    await done(engines, listed.violation_id)
    get = pb.GetViolationRequest(violation_id=listed.violation_id)
    learnt = (await inspector.call("GetViolation", get)).violation
    assert list(learnt.evidence_sha256) == [one.shown_sha256 for one in frames]
