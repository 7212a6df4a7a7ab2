"""Following: the stream of changes, outcomes from violations and fines, deadlines that pass."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from chassis.clock import new_id, system_clock
from chassis.db import Database
from citizen_reports.model.law import read_law
from citizen_reports.storage.changes import number_new
from citizen_reports.usecases.followup import FollowUp
from citizen_reports.usecases.recording import ReportRecorder
from google.protobuf.message import Message
from host.scheduler import WaitUntilDue
from sqlalchemy import text
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import events_pb2 as fine_events
from tartip.reports.v1 import reports_pb2 as pb
from tartip.violations.v1 import events_pb2 as violation_events
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, Register, draft, jpeg, pieces_of, refused, until
from .inside import EURASIAN, intake_on, opened


async def test_a_watch_resumes_without_a_gap_and_without_a_double(
    halyk: As, register: Register
) -> None:
    stream = halyk.watch("0")
    made = [await register(by=halyk) for _ in range(2)]
    first = await _read(stream, 3)
    stream.cancel()
    made += await asyncio.gather(*(register(by=halyk) for _ in range(6)))
    stream = halyk.watch(first[-1].resume_token)
    rest = await _read(stream, 2 * len(made) - 3)
    changes = first + rest
    assert [int(change.resume_token) for change in changes] == list(range(1, len(changes) + 1))
    for report_id, receipt in made:
        told = [change for change in changes if change.report_id == report_id]
        assert [change.status for change in told] == [
            pb.REPORT_STATUS_REGISTERED,
            pb.REPORT_STATUS_ROUTED,
        ]
        assert {change.number for change in told} == {receipt.number}
    stream.cancel()


async def test_a_watch_sees_changes_made_by_writers_at_the_same_time(
    as_: Callable[..., As], register: Register
) -> None:
    partner = as_("eurasian")
    stream = partner.watch("0")
    reading = asyncio.ensure_future(_read(stream, 40))
    await asyncio.gather(*(register(by=partner) for _ in range(20)))
    changes = await reading
    stream.cancel()
    assert [int(change.resume_token) for change in changes] == list(range(1, 41))


async def test_thirty_submits_at_once_are_numbered_in_the_order_of_their_commits(
    db: Database, engines: RunningTestMesh
) -> None:
    """Several number them at once. Whoever looks meanwhile sees the sequence without a gap, and
    never a lower number after a higher one."""
    intake = await intake_on(db)
    made = [await opened(intake) for _ in range(30)]
    looker = await asyncpg.connect(engines.database.url)

    async def look() -> dict[int, int]:
        numbered = "SELECT sequence, position FROM citizen_reports.changes WHERE partner = $1"
        rows = await looker.fetch(f"{numbered} AND sequence IS NOT NULL", EURASIAN.name)
        return dict(sorted((row["sequence"], row["position"]) for row in rows))

    await number_new(db)
    before = seen = await look()
    submits = asyncio.gather(*(intake.submit(report_id, EURASIAN) for report_id in made))
    while not submits.done():
        await asyncio.gather(*(number_new(db) for _ in range(3)))
        now = await look()
        assert list(now) == list(range(1, len(now) + 1))
        assert {**now, **seen} == now  # what was numbered stays so
        seen = now
    await submits
    await number_new(db)
    assert list(await look()) == list(range(1, len(before) + 61))
    await looker.close()
    async with db.begin(EURASIAN.scope) as tx:
        query = text("SELECT report_id, status FROM changes WHERE sequence > :s ORDER BY sequence")
        told = (await tx.execute(query.bindparams(s=len(before)))).all()
    for report_id in made:
        statuses = [row.status for row in told if row.report_id == report_id]
        assert statuses == ["registered", "routed"]


async def test_an_empty_token_begins_with_the_next_change(
    as_: Callable[..., As], register: Register
) -> None:
    partner = as_("egov")
    await register(by=partner)
    stream = partner.watch("")
    reading = asyncio.ensure_future(_read(stream, 1))
    await asyncio.sleep(1)
    report_id, _ = await register(by=partner)
    assert (await reading)[0].report_id == report_id
    stream.cancel()


async def test_an_app_sees_at_once_that_its_idle_stream_is_open(halyk: As) -> None:
    stream = halyk.watch("")
    async with asyncio.timeout(60):
        await stream.initial_metadata()
    stream.cancel()


async def test_a_token_that_was_not_given_is_refused(kaspi: As) -> None:
    for token in ("x", "-1", "999999999", "٣"):
        assert (await refused(_read(kaspi.watch(token), 1))).code == "RESUME_TOKEN_WRONG"


async def test_what_came_of_a_report_is_told_once_however_often_it_is_delivered(
    kaspi: As, register: Register, engines: RunningTestMesh
) -> None:
    report_id, _ = await register()
    detected = violation_events.ViolationDetected(report_id=report_id, region="KZ-75")
    confirmed = violation_events.ViolationConfirmed(report_id=report_id, region="KZ-75")
    issued = fine_events.FineIssued(report_id=report_id, region="KZ-75", number="F-1")
    await _publish(engines, "violations", "violations.v1.detected", detected, times=3)
    await until(lambda: _outcome(kaspi, report_id, "violation_detected"))
    await _publish(engines, "fines", "fines.v1.issued", issued, times=3)
    await until(lambda: _outcome(kaspi, report_id, "fine_issued"))
    # The confirmation comes late: a stream of its own promises no order across streams.
    await _publish(engines, "violations", "violations.v1.confirmed", confirmed)
    device = violation_events.ViolationDetected(violation_id=str(new_id()), region="KZ-75")
    await _publish(engines, "violations", "violations.v1.detected", device)
    await asyncio.sleep(1)
    stream = kaspi.watch("0")
    seen = []
    async for change in stream:
        if change.report_id == report_id:
            seen.append(change.outcome)
            if change.outcome == "fine_issued":
                break
    assert seen == ["", "", "violation_detected", "fine_issued"]
    report = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert (report.outcome, report.version) == ("fine_issued", 5)
    stream.cancel()


async def test_an_undisputed_answer_is_closed(
    register: Register, db: Database, dispatcher: As, kaspi: As
) -> None:
    report_id, _ = await register()
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    answer = pb.AnswerReportRequest(
        report_id=report_id, answer="The lamp is mended", outcome="measures_taken"
    )
    answered = (await dispatcher.at_desk("AnswerReport", answer)).report
    key = f"{report_id}:{answered.report.version}"
    with pytest.raises(WaitUntilDue):  # and so stays scheduled
        await followup(db, lambda: system_clock() + timedelta(days=29)).close(key)
    await followup(db, lambda: system_clock() + timedelta(days=31)).close(key)
    report = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert report.status == pb.REPORT_STATUS_CLOSED


async def test_a_draft_that_nobody_submits_is_dropped_with_its_pictures(
    register: Register, kaspi: As, db: Database
) -> None:
    given = draft()
    await kaspi.app("OpenReport", given)
    await kaspi.app("PutMedia", pieces_of(given.report_id, jpeg())[0])
    submitted, _ = await register()
    with pytest.raises(WaitUntilDue):
        await followup(db, lambda: system_clock() + timedelta(days=6)).drop_draft(given.report_id)
    late = followup(db, lambda: system_clock() + timedelta(days=7))
    for report_id in (given.report_id, given.report_id, submitted):
        await late.drop_draft(report_id)
    gone = pb.GetReportRequest(report_id=given.report_id)
    assert (await refused(kaspi.app("GetReport", gone))).code == "REPORT_NOT_FOUND"
    assert (await kaspi.app("GetReport", pb.GetReportRequest(report_id=submitted))).report.version


async def test_a_second_report_of_the_same_is_told_to_the_desk_as_a_possible_duplicate(
    register: Register, halyk: As, dispatcher: As
) -> None:
    near = common_pb2.Place(latitude=43.30001, longitude=76.90001, region="KZ-75")
    same = common_pb2.Place(latitude=43.30011, longitude=76.90011, region="KZ-75")
    far = common_pb2.Place(latitude=43.30101, longitude=76.90001, region="KZ-75")
    await register(draft(place=near))
    second, _ = await register(draft(place=same), by=halyk)
    third, _ = await register(draft(place=far), by=halyk)

    async def notes(report_id: str) -> list[str]:
        request = pb.ReportDeskGetReportRequest(report_id=report_id)
        steps = (await dispatcher.at_desk("GetReport", request)).report.steps
        return [step.note for step in steps if step.note.startswith("possible")]

    assert await until(lambda: notes(second)) == ["possible duplicate"]
    assert await notes(third) == []


def followup(db: Database, clock: Callable[[], datetime]) -> FollowUp:
    law = read_law()
    nowhere: Any = None
    return FollowUp(db, clock, law, ReportRecorder(law.deadlines), nowhere)


async def _read(stream: Any, count: int) -> list[pb.WatchReportsResponse]:
    found: list[pb.WatchReportsResponse] = []
    async with asyncio.timeout(60):
        async for change in stream:
            found.append(change)
            if len(found) == count:
                break
    return found


async def _outcome(kaspi: As, report_id: str, wanted: str) -> bool:
    report = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    return bool(report.outcome == wanted)


async def _publish(
    engines: RunningTestMesh, user: str, subject: str, event: Message, *, times: int = 1
) -> None:
    """As the owner's relay does; more than once as after the loss of a stream."""
    client = await engines.nats_client(user)
    headers = {
        "ce-id": str(new_id()),
        "tartip-aggregate": "x",
        "tartip-version": "1",
        "tartip-region": "KZ-75",
        "tartip-story": "",
    }
    try:
        for _ in range(times):
            await client.jetstream().publish(
                subject, event.SerializeToString(), headers=headers, timeout=5
            )
    finally:
        await client.close()
