"""`tartip verify` names a report whose escalation, draft or file was left without its work."""

from datetime import UTC, timedelta

import asyncpg
from audit_log.work_checks import awaited_check
from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.model.law import read_law
from citizen_reports.storage import awaited
from citizen_reports.usecases.escalation import WAITING
from citizen_reports.usecases.intake import DROP_DRAFT
from citizen_reports.usecases.recording import DATE_ANSWER, DEADLINE, RESPONSE
from citizen_reports.usecases.uploads import AWAIT_MEDIA, STORE_MEDIA
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, Register, draft, jpeg, pieces_of, until
from .inside import EURASIAN, intake_on, opened
from .test_clocks import escalation, law_without_calendar

TABLE = read_law(assume_years=True).deadlines.table
AWAITED = {
    DEADLINE: awaited.escalations(TABLE),
    RESPONSE: awaited.responses(TABLE),
    WAITING: awaited.WAITS,
    DATE_ANSWER: awaited.UNDATED,
    DROP_DRAFT: awaited.DRAFTS,
    STORE_MEDIA: awaited.COMPLETE_MEDIA,
    AWAIT_MEDIA: awaited.FOLLOWING_MEDIA,
}


async def missing(db: Database, report_id: str) -> list[str]:
    async with db.begin(SYSTEM) as tx:
        faults = (await awaited_check(AWAITED)(tx, "", 1000)).faults
    return [fault.record for fault in faults if report_id in fault.record]


async def test_a_draft_and_a_report_are_named_without_their_work(
    kaspi: As, db: Database, engines: RunningTestMesh
) -> None:
    given = draft(category=pb.CATEGORY_ROAD_ACCIDENT)
    await kaspi.app("OpenReport", given)
    await without_work(engines, db, given.report_id, f"drop_draft:{given.report_id}")
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
    response, answer = f"response:{given.report_id}:1", f"deadline:{given.report_id}:1:1"
    await without_work(engines, db, given.report_id, answer, response)


async def test_a_report_awaits_the_next_escalation_until_the_last(
    register: Register, db: Database, engines: RunningTestMesh
) -> None:
    report_id, receipt = await register(draft(category=pb.CATEGORY_INCIDENT_WITH_CHILD))
    late = escalation(db, lambda: receipt.due_at.ToDatetime(tzinfo=UTC) + timedelta(days=4))
    await late.check_response(f"{report_id}:1")
    await late.check_deadline(f"{report_id}:1:1")
    response, answer = f"response:{report_id}:2", f"deadline:{report_id}:1:2"
    await without_work(engines, db, report_id, answer, response)
    for step in (2, 3):
        await late.check_response(f"{report_id}:{step}")
        await late.check_deadline(f"{report_id}:1:{step}")
    assert await missing(db, report_id) == []


async def test_a_report_awaits_the_end_of_its_wait_alone_while_its_deadline_is_suspended(
    register: Register, db: Database, dispatcher: As, engines: RunningTestMesh
) -> None:
    report_id, _ = await register()
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    request = pb.AskReporterRequest(report_id=report_id, question="Where was it?")
    await dispatcher.at_desk("AskReporter", request)
    await without_work(engines, db, report_id, f"waiting:{report_id}:1:0")


async def test_an_answer_without_a_date_awaits_its_calendar(
    db: Database, engines: RunningTestMesh
) -> None:
    intake = await intake_on(db, law=law_without_calendar())
    report_id = await opened(intake)
    await intake.submit(report_id, EURASIAN)
    await without_work(engines, db, str(report_id), f"date_answer:{report_id}:1")
    async with db.begin(SYSTEM) as tx:  # its calendar is looked for again
        await tx.schedule(DATE_ANSWER, f"{report_id}:1", system_clock())


async def test_a_file_that_is_not_stored_is_named(
    kaspi: As, db: Database, engines: RunningTestMesh
) -> None:
    report_id, media_id = await with_file(kaspi)
    assert await missing(db, report_id) == []
    connection = await asyncpg.connect(engines.database.url)
    unstored = "UPDATE citizen_reports.media SET state = 'complete' WHERE media_id = $1::uuid"
    await until(lambda: connection.fetchval(_STORED, media_id))
    await connection.execute(unstored, media_id)
    await connection.close()
    assert await missing(db, report_id) == [f"work:store_media:{report_id}:{media_id}"]


_STORED = "SELECT 1 FROM citizen_reports.media WHERE media_id = $1::uuid AND state = 'stored'"


async def with_file(kaspi: As) -> tuple[str, str]:
    """A submitted report with a picture: its id, and the id of the picture."""
    given = draft()
    await kaspi.app("OpenReport", given)
    [piece] = pieces_of(given.report_id, jpeg())
    await kaspi.app("PutMedia", piece)
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
    return given.report_id, piece.media_id


async def delete_work(engines: RunningTestMesh, report_id: str) -> None:
    connection = await asyncpg.connect(engines.database.url)
    await connection.execute(
        "DELETE FROM citizen_reports.work WHERE starts_with(key, $1)", report_id
    )
    await connection.close()


async def without_work(engines: RunningTestMesh, db: Database, report_id: str, *named: str) -> None:
    """The report is named only once its work is deleted."""
    assert await missing(db, report_id) == []
    await delete_work(engines, report_id)
    assert sorted(await missing(db, report_id)) == sorted(f"work:{one}" for one in named)
