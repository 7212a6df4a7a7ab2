"""A report without media in one call: what OpenReport and SubmitReport make of it, and once."""

import asyncio
import hashlib
import os
import signal
import subprocess
from collections.abc import Awaitable
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest
from chassis.clock import from_timestamp, new_id
from chassis.db import Database, canonical_json
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.audit import served_differences
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, complaint, draft, jpeg, pieces_of, refused, until
from .inside import EURASIAN, a_draft, handed_in, intake_on, new_person
from .test_two_copies import other  # noqa: F401 (a fixture)


async def hand_in(by: As, given: pb.OpenReportRequest) -> pb.HandInReportResponse:
    answer: pb.HandInReportResponse = await by.app(
        "HandInReport", pb.HandInReportRequest(report=given)
    )
    return answer


async def test_what_is_handed_in_is_registered_and_routed_as_by_two_calls(
    kaspi: As, dispatcher: As
) -> None:
    whole, parted = draft(), draft()
    parted.place.CopyFrom(whole.place)
    parted.occurred_at.CopyFrom(whole.occurred_at)
    report = (await hand_in(kaspi, whole)).report
    await kaspi.app("OpenReport", parted)
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=parted.report_id))
    get = pb.GetReportRequest(report_id=whole.report_id)
    assert (await kaspi.app("GetReport", get)).report == report
    shown = [await seen(dispatcher, given.report_id) for given in (whole, parted)]
    assert _comparable(shown[0]) == _comparable(shown[1])
    assert report.status == pb.REPORT_STATUS_ROUTED and report.receipt.number
    assert report.receipt.unit == report.unit
    assert report.due_at == report.receipt.due_at
    assert [step.status for step in shown[0].steps] == [
        pb.REPORT_STATUS_REGISTERED,
        pb.REPORT_STATUS_ROUTED,
    ]


async def seen(desk: As, report_id: str) -> pb.DeskReport:
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    found: pb.DeskReport = (await desk.at_desk("GetReport", request)).report
    return found


def _comparable(shown: pb.DeskReport) -> pb.DeskReport:
    """Without what differs between any two reports, and what is found out of it later."""
    report = shown.report
    for field in ("report_id", "opened_at", "receipt"):
        report.ClearField(field)
    shown.ClearField("story")
    shown.ClearField("related")
    shown.ClearField("cameras")
    del shown.steps[2:]
    for step in shown.steps:
        step.ClearField("at")
    return shown


async def test_the_same_rows_are_written_and_no_draft_is_to_be_dropped(
    kaspi: As, db: Database
) -> None:
    given = draft()
    await hand_in(kaspi, given)
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT kind FROM work WHERE starts_with(key, :id) ORDER BY kind")
        kinds = (await tx.execute(query.bindparams(id=given.report_id))).scalars().all()
    assert kinds == ["deadline", "due_soon", "find_duplicates", "name_cameras"]


async def test_the_same_again_answers_the_same_and_other_content_is_refused(kaspi: As) -> None:
    given = draft()
    first = await hand_in(kaspi, given)
    assert await hand_in(kaspi, given) == first
    assert (await kaspi.app("OpenReport", given)).report == first.report
    request = pb.SubmitReportRequest(report_id=given.report_id)
    assert (await kaspi.app("SubmitReport", request)).receipt == first.report.receipt
    given.text = "something else"
    assert (await refused(hand_in(kaspi, given))).code == "ID_REUSED"


async def test_a_draft_of_the_same_content_is_registered_with_its_media(kaspi: As) -> None:
    given = draft()
    await kaspi.app("OpenReport", given)
    for piece in pieces_of(given.report_id, jpeg()):
        await kaspi.app("PutMedia", piece)
    report = (await hand_in(kaspi, given)).report
    assert (report.status, report.media_count) == (pb.REPORT_STATUS_ROUTED, 1)
    given = draft()
    await kaspi.app("OpenReport", given)
    given.text = "something else"
    assert (await refused(hand_in(kaspi, given))).code == "ID_REUSED"


async def test_a_region_that_differs_is_put_right_and_told(kaspi: As) -> None:
    given = draft(place=common_pb2.Place(latitude=42.1793, longitude=69.8837, region="KZ-79"))
    answers = [await hand_in(kaspi, given) for _ in range(2)]
    assert {(answer.report.region, answer.region_corrected) for answer in answers} == {
        ("KZ-61", True)
    }


async def test_every_wrong_field_is_named_as_a_field_of_this_request(kaspi: As) -> None:
    refusal = await refused(hand_in(kaspi, pb.OpenReportRequest(report_id="1", language="de")))
    assert {(error.field, error.code) for error in refusal.fields} == {
        ("report.report_id", "REPORT_ID_WRONG"),
        ("report.category", "CATEGORY_UNKNOWN"),
        ("report.place", "PLACE_REQUIRED"),
        ("report.occurred_at", "OCCURRED_AT_REQUIRED"),
        ("report.text", "TEXT_REQUIRED"),
        ("report.language", "LANGUAGE_UNKNOWN"),
    }


@pytest.mark.parametrize("milliseconds", [0, 4102444800000], ids=["1970", "2100"])
async def test_an_id_of_another_time_is_refused(kaspi: As, milliseconds: int) -> None:
    made = UUID(int=(new_id().int & (2**80 - 1)) | milliseconds << 80)
    given = draft(report_id=str(made))
    assert (await refused(hand_in(kaspi, given))).code == "REPORT_ID_WRONG"
    assert (await refused(kaspi.app("OpenReport", given))).code == "REPORT_ID_WRONG"


async def test_a_megabyte_of_text_is_refused_by_name(kaspi: As) -> None:
    assert (await refused(hand_in(kaspi, draft(text="Ы" * 2**19)))).code == "TEXT_TOO_LONG"


async def test_an_empty_report_is_registered_in_no_way(kaspi: As) -> None:
    for nothing in ("", " \n", "\u200b\u202e\x00"):
        given = draft(text=nothing)
        assert (await refused(hand_in(kaspi, given))).code == "TEXT_REQUIRED"
        opened = (await kaspi.app("OpenReport", given)).report
        assert list(opened.actions) == ["put_media", "withdraw"]
        submit = pb.SubmitReportRequest(report_id=given.report_id)
        assert (await refused(kaspi.app("SubmitReport", submit))).code == "REPORT_EMPTY"
    for piece in pieces_of(given.report_id, jpeg()):
        await kaspi.app("PutMedia", piece)
    get = pb.GetReportRequest(report_id=given.report_id)
    assert "submit" in (await kaspi.app("GetReport", get)).report.actions
    assert (await kaspi.app("SubmitReport", submit)).receipt.number


async def test_a_complaint_without_more_than_its_officer_is_no_empty_report(kaspi: As) -> None:
    report = (await hand_in(kaspi, complaint(text=""))).report
    assert report.receipt.number and report.unit == report.receipt.unit


async def test_a_silent_alarm_is_one_to_the_desk_and_in_the_log(
    kaspi: As, dispatcher: As, engines: RunningTestMesh
) -> None:
    given = draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE, text="", silent_alarm=True)
    report = (await hand_in(kaspi, given)).report
    shown = await seen(dispatcher, given.report_id)
    assert (shown.silent_alarm, shown.text, shown.emergency) == (True, "", True)
    taken = await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=given.report_id))
    assert taken.report.silent_alarm
    parted = draft(category=pb.CATEGORY_INCIDENT_WITH_CHILD, text="", silent_alarm=True)
    await kaspi.app("OpenReport", parted)
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=parted.report_id))
    assert (await seen(dispatcher, parted.report_id)).silent_alarm
    differences = await served_differences(engines, "citizen-reports")
    assert not [line for line in differences if report.receipt.number in line]
    connection = await asyncpg.connect(engines.database.url)
    forget = "UPDATE citizen_reports.reports SET silent_alarm = NULL WHERE report_id = $1"
    await connection.execute(forget, UUID(given.report_id))
    await connection.close()

    async def found() -> set[str]:
        return await served_differences(engines, "citizen-reports") - differences

    assert len(await until(found)) == 1


async def test_a_silent_alarm_is_expected_of_violence_and_children_alone(kaspi: As) -> None:
    loud = draft(category=pb.CATEGORY_INCIDENT, text="", silent_alarm=True)
    assert (await refused(hand_in(kaspi, loud))).code == "SILENT_ALARM_NOT_EXPECTED"
    worded = draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE, silent_alarm=True)
    assert (await refused(kaspi.app("OpenReport", worded))).code == "SILENT_ALARM_HAS_TEXT"


async def test_what_cannot_be_read_is_not_stored_and_the_receipt_is_of_what_is(
    kaspi: As, dispatcher: As
) -> None:
    given = draft(
        text="a\x00 b\u202e\r\nc\u200b",
        reporter=pb.Reporter(name="Te\u200bst", phone="+7 (701) 000-00-00"),
    )
    receipt = (await hand_in(kaspi, given)).report.receipt
    shown = await seen(dispatcher, given.report_id)
    assert (shown.text, shown.reporter.name) == ("a b\nc", "Test")
    assert shown.reporter.phone == "+77010000000"
    stored = {
        "report_id": given.report_id,
        "category": "traffic_violation",
        "occurred_at": from_timestamp(given.occurred_at).isoformat(),
        "language": "ru",
        "text": "a b\nc",
        "officer": "",
        "place": {
            "latitude": given.place.latitude,
            "longitude": given.place.longitude,
            "region": "KZ-75",
            "address": "Abai 44",
        },
        "reporter": {"iin": "", "name": "Test", "phone": "+77010000000"},
        "media": [],
    }
    assert hashlib.sha256(canonical_json(stored)).hexdigest() == receipt.content_sha256


async def test_the_same_at_once_is_one_report_with_one_number(kaspi: As, db: Database) -> None:
    given = draft()
    answers = await asyncio.gather(*(hand_in(kaspi, given) for _ in range(8)))
    assert len({answer.SerializeToString() for answer in answers}) == 1
    assert await _count(db, given.report_id) == {"outbox": 2, "changes": 2, "steps": 2}


async def test_reports_of_one_person_at_once_share_a_key_and_a_commit(db: Database) -> None:
    """First reports of a person come at once: whoever loses the race finds the key."""
    intake, reporter = await intake_on(db), new_person()
    views = await asyncio.gather(*(handed_in(intake, reporter=reporter) for _ in range(20)))
    assert len({view.report.number for view in views}) == 20
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT count(DISTINCT key_id) FROM reporters WHERE report_id = ANY(:ids)")
        ids = [view.report.report_id for view in views]
        assert await tx.scalar(query.bindparams(ids=ids)) == 1
        query = text("SELECT count(DISTINCT xmin::text) FROM reports WHERE report_id = ANY(:ids)")
        assert await tx.scalar(query.bindparams(ids=ids)) < 20


async def test_a_wrong_one_among_many_fails_alone(db: Database) -> None:
    """One has an id that was used for something else."""
    intake = await intake_on(db)
    used = (await handed_in(intake)).report.report_id
    calls: list[Awaitable[Any]] = [handed_in(intake) for _ in range(8)]
    calls.append(intake.hand_in(used, a_draft(new_person()), b"other", EURASIAN))
    found: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    *views, refusal = found
    assert getattr(refusal, "code", "") == "ID_REUSED"
    assert len({view.report.number for view in views}) == 8


async def test_one_with_the_id_of_another_partners_report_disturbs_no_other(
    db: Database, kaspi: As
) -> None:
    taken = draft()
    await hand_in(kaspi, taken)
    intake = await intake_on(db)
    calls: list[Awaitable[Any]] = [handed_in(intake) for _ in range(8)]
    used = UUID(taken.report_id)
    calls.append(intake.hand_in(used, a_draft(new_person()), b"other", EURASIAN))
    views = await asyncio.gather(*calls)
    assert len({view.report.number for view in views}) == 9
    assert views[-1].report.id_of_app == used


async def test_a_taken_number_is_drawn_again(db: Database) -> None:
    drawn = iter([7_654_321, 7_654_321, 7_654_322])
    intake = await intake_on(db, draw=lambda _: next(drawn))
    numbers = [(await handed_in(intake)).report.number[-7:] for _ in range(2)]
    assert numbers == ["7654321", "7654322"]


async def test_a_killed_process_leaves_each_report_once_or_not_at_all(
    other: tuple[subprocess.Popen[bytes], As],  # noqa: F811 (the fixture)
    kaspi: As,
    db: Database,
) -> None:
    """The answers are lost with the process; the same ids at another copy find out."""
    process, elsewhere = other
    given = [draft() for _ in range(24)]
    request = [pb.HandInReportRequest(report=each) for each in given]
    calls = [asyncio.ensure_future(elsewhere.app("HandInReport", each)) for each in request]
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    os.kill(process.pid, signal.SIGKILL)
    outcomes: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    assert not all(isinstance(each, grpc.aio.AioRpcError) for each in outcomes)
    answers = [await hand_in(kaspi, each) for each in given]
    for told, answer in zip(outcomes, answers, strict=True):
        if not isinstance(told, grpc.aio.AioRpcError):
            assert told.report.receipt == answer.report.receipt
    assert len({answer.report.receipt.number for answer in answers}) == len(given)
    for each in given:
        assert await _count(db, each.report_id) == {"outbox": 2, "changes": 2, "steps": 2}


async def _count(db: Database, report_id: str) -> dict[str, int]:
    queries = {
        "outbox": "SELECT count(*) FROM outbox WHERE aggregate = 'report:' || CAST(:id AS text)"
        " AND subject IN ('reports.v1.received', 'reports.v1.routed')",
        "changes": "SELECT count(*) FROM changes WHERE report_id = CAST(:id AS uuid)",
        "steps": "SELECT count(*) FROM steps WHERE report_id = CAST(:id AS uuid)"
        " AND status IN ('registered', 'routed') AND actor IN ('reporter', 'system')",
    }
    async with db.begin(SYSTEM) as tx:
        return {
            name: await tx.scalar(text(query).bindparams(id=report_id))
            for name, query in queries.items()
        }
