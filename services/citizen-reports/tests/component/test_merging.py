"""Reports of one incident are merged: one is handled, and nobody is told of another's report."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.clock import new_id, system_clock, to_timestamp
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.model.law import read_law
from citizen_reports.usecases.duplicates import Duplicates
from citizen_reports.usecases.merging import Followers
from citizen_reports.usecases.recording import ReportRecorder
from sqlalchemy import text
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.audit import served_differences
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, Register, complaint, draft, refused, until
from .test_clocks import escalation, moment
from .test_raised_reports import raising
from .test_secrecy import audited
from .test_triage import queue, shown

LAW = read_law()


async def merge(desk: As, report_id: str, parent_id: str) -> pb.DeskReport:
    request = pb.MergeReportRequest(report_id=report_id, parent_id=parent_id)
    report: pb.DeskReport = (await desk.at_desk("MergeReport", request)).report
    return report


async def told(app: As, report_id: str) -> pb.Report:
    request = pb.GetReportRequest(report_id=report_id)
    report: pb.Report = (await app.app("GetReport", request)).report
    return report


async def has_status(app: As, report_id: str, status: pb.ReportStatus.ValueType) -> bool:
    async def look() -> bool:
        return (await told(app, report_id)).status == status

    return bool(await until(look))


async def relations(desk: As, report_id: str) -> list[tuple[str, str]]:
    return [(one.report_id, one.relation) for one in (await shown(desk, report_id)).related]


async def answer(desk: As, report_id: str, words: str) -> None:
    await desk.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    request = pb.AnswerReportRequest(report_id=report_id, answer=words, outcome="measures_taken")
    await desk.at_desk("AnswerReport", request)


def other(**changes: Any) -> pb.OpenReportRequest:
    return draft(**{"category": pb.CATEGORY_OTHER} | changes)


async def test_every_reporter_follows_the_parent_and_is_told_of_nobody_else(
    engines: RunningTestMesh,
    kaspi: As,
    halyk: As,
    dispatcher: As,
    register: Register,
    db: Database,
) -> None:
    person = pb.Reporter(iin="900101300017", name="Aigerim Planted", phone="+77015550001")
    parent_id, parent = await register(other(text="a planted text", reporter=person))
    child_id, child = await register(other(language="en"), by=halyk)
    before = await told(kaspi, parent_id)
    merged = await merge(dispatcher, child_id, parent_id)
    assert await merge(dispatcher, child_id, parent_id) == merged
    assert await told(kaspi, parent_id) == before, "nothing happened to its reporter"
    listed = {row.report.report_id for row in await queue(dispatcher)}
    assert parent_id in listed and child_id not in listed, "they count once"
    taking = pb.TakeReportRequest(report_id=child_id)
    assert (await refused(dispatcher.at_desk("TakeReport", taking))).code == "REPORT_MERGED"
    await answer(dispatcher, parent_id, "Dear Aigerim Planted, the yard was cleaned today.")
    assert await has_status(halyk, child_id, pb.REPORT_STATUS_ANSWERED)
    theirs = await told(halyk, child_id)
    assert theirs.answer == (
        "The police have dealt with what you reported. Outcome: measures were taken."
    )
    assert theirs.closing_outcome == "measures_taken"
    assert theirs.receipt == child and "dispute" in theirs.actions
    assert (await refused(told(halyk, parent_id))).code == "REPORT_NOT_FOUND"
    for planted in ("lanted", "Aigerim", "7015550001", "900101300017", parent.number, parent_id):
        assert planted not in str(theirs)
    entries = await audited(db, "merge", child.number)
    [entry] = entries
    assert entry["actor"] == "operator/dispatcher-almaty"
    steps = [
        *(await shown(dispatcher, child_id)).steps,
        *(await shown(dispatcher, parent_id)).steps,
    ]
    named = str([entries, await audited(db, "lead", parent.number), steps])
    assert not [name for name in (parent_id, child_id) if name in named], (
        "either may be hidden later"
    )
    assert f"{child.number}" not in str(await audited(db, "lead", parent.number))
    wrong = await served_differences(engines, "citizen-reports")
    assert not [one for one in wrong if child.number in one or parent.number in one]


async def test_not_fixed_gives_the_reporter_a_case_of_his_own(
    kaspi: As, halyk: As, dispatcher: As, register: Register
) -> None:
    parent_id, _ = await register(other())
    child_id, _ = await register(other(), by=halyk)
    await merge(dispatcher, child_id, parent_id)
    await answer(dispatcher, parent_id, "The yard was cleaned today.")
    assert await has_status(halyk, child_id, pb.REPORT_STATUS_ANSWERED)
    dispute = pb.DisputeAnswerRequest(
        report_id=child_id, text="it is as dirty as before", dispute_id=str(new_id())
    )
    assert (await halyk.app("DisputeAnswer", dispute)).report.status == pb.REPORT_STATUS_DISPUTED
    assert (await told(kaspi, parent_id)).status == pb.REPORT_STATUS_ANSWERED
    assert not await relations(dispatcher, child_id)
    assert child_id in {row.report.report_id for row in await queue(dispatcher)}


async def test_unmerged_a_report_is_handled_by_itself_again(
    dispatcher: As, register: Register, db: Database
) -> None:
    """The work of its clocks, which was done while they did not run, is scheduled again."""
    parent_id, _ = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    child_id, receipt = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    await merge(dispatcher, child_id, parent_id)
    assert await relations(dispatcher, parent_id) == [(child_id, "merged")]
    due = moment(receipt.response_due_at)
    late = escalation(db, lambda: due + timedelta(seconds=1))
    await late.check_response(f"{child_id}:1")
    await late.warn(f"{child_id}:response:1")
    child = await shown(dispatcher, child_id)
    assert (child.position, child.overdue) == ("", False)
    request = pb.UnmergeReportRequest(report_id=child_id)
    assert (await refused(dispatcher.at_desk("UnmergeReport", request))).code == "REASON_REQUIRED"
    request.reason = "another crossing"
    own = (await dispatcher.at_desk("UnmergeReport", request)).report
    assert own.steps[-1].note == "unmerged: another crossing"
    again = (await dispatcher.at_desk("UnmergeReport", request)).report
    assert again == own
    assert own.report.receipt == receipt and own.response_due_at == receipt.response_due_at
    assert not await relations(dispatcher, child_id)
    assert child_id in {row.report.report_id for row in await queue(dispatcher)}
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT key FROM work WHERE done_at IS NULL AND key LIKE :report")
        waiting = set((await tx.execute(query.bindparams(report=f"{child_id}:%"))).scalars())
    assert {f"{child_id}:1", f"{child_id}:response:2", f"{child_id}:2:1"} <= waiting
    await late.check_response(f"{child_id}:1")
    assert (await shown(dispatcher, child_id)).position == "supervisor"


async def test_what_is_hidden_or_of_another_kind_or_region_is_not_merged(
    dispatcher: As, security: As, register: Register, db: Database
) -> None:
    report_id, _ = await register(other())
    violence, _ = await register(draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE))
    secret, number = await register(complaint())
    astana = common_pb2.Place(latitude=51.1282, longitude=71.4304, region="KZ-71")
    elsewhere, _ = await register(other(place=astana))
    for parent_id in (secret, elsewhere, str(new_id())):
        refusal = await refused(merge(dispatcher, report_id, parent_id))
        assert refusal.code == "REPORT_NOT_FOUND"
        refusal = await refused(merge(dispatcher, parent_id, report_id))
        assert refusal.code == "REPORT_NOT_FOUND"
    assert len(await audited(db, "open_refused", number.number)) == 2, "attempts are recorded"
    for one, another in ((report_id, violence), (violence, report_id)):
        refusal = await refused(merge(dispatcher, one, another))
        assert (refusal.code, refusal.facts["reason"]) == ("MERGE_NOT_ALLOWED", "other_category")
    assert (await refused(merge(security, secret, report_id))).code == "NOT_ALLOWED"


async def test_a_report_that_others_follow_follows_no_other(
    dispatcher: As, register: Register
) -> None:
    first, _ = await register(other())
    second, _ = await register(other())
    third, _ = await register(other())
    await merge(dispatcher, third, second)
    refusal = await refused(merge(dispatcher, second, first))
    assert refusal.facts["reason"] == "is_parent"
    refusal = await refused(merge(dispatcher, first, third))
    assert refusal.facts["reason"] == "parent_is_merged"


async def test_a_merged_report_that_is_raised_leaves_its_parent_at_once_and_without_a_trace(
    dispatcher: As, security: As, halyk: As, register: Register, db: Database
) -> None:
    parent_id, _ = await register(other())
    child_id, receipt = await register(other(), by=halyk)
    await merge(dispatcher, child_id, parent_id)
    seen = await shown(dispatcher, parent_id)
    assert [one.number for one in seen.related] == [receipt.number]
    request = raising(child_id, pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
    assert (await dispatcher.at_desk("RaiseReport", request)).hidden
    after = await shown(dispatcher, parent_id)
    assert not after.related and after.steps == seen.steps
    assert after.report == seen.report
    secret = await shown(security, child_id)
    assert not secret.related and "take" in secret.actions
    await answer(dispatcher, parent_id, "The yard was cleaned today.")
    version = (await shown(dispatcher, parent_id)).report.version
    followers = Followers(db, system_clock, LAW, ReportRecorder(LAW.deadlines))
    await followers.follow(f"{parent_id}:{version}")
    assert (await shown(security, child_id)).report.status == pb.REPORT_STATUS_ROUTED


async def test_a_parent_that_is_raised_or_taken_back_leaves_the_others_to_themselves(
    kaspi: As, dispatcher: As, halyk: As, register: Register
) -> None:
    for is_raised in (True, False):
        parent_id, parent = await register(other())
        child_id, _ = await register(other(), by=halyk)
        await merge(dispatcher, child_id, parent_id)
        if is_raised:
            request = raising(parent_id, pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
            await dispatcher.at_desk("RaiseReport", request)
            assert not await relations(dispatcher, child_id), "not even until it is left"
        else:
            await kaspi.app("WithdrawReport", pb.WithdrawReportRequest(report_id=parent_id))

        async def is_its_own(report_id: str = child_id) -> bool:
            return "take" in (await shown(dispatcher, report_id)).actions

        assert await until(is_its_own)
        child = await shown(dispatcher, child_id)
        assert not child.related
        assert parent.number not in str(child) and parent_id not in str(child)
        assert child.steps[-1].note == "unmerged"


async def test_whoever_takes_his_report_back_leaves_the_others(
    dispatcher: As, halyk: As, register: Register
) -> None:
    parent_id, _ = await register(other())
    child_id, _ = await register(other(), by=halyk)
    await merge(dispatcher, child_id, parent_id)
    answered = await halyk.app("WithdrawReport", pb.WithdrawReportRequest(report_id=child_id))
    assert answered.report.status == pb.REPORT_STATUS_WITHDRAWN
    assert not await relations(dispatcher, parent_id)


async def test_possible_duplicates_are_shown_to_both_and_count_once_when_merged(
    dispatcher: As, register: Register, db: Database
) -> None:
    # Between the places of all other drafts.
    place = common_pb2.Place(latitude=43.3215, longitude=76.9365, region="KZ-75")
    first, _ = await register(draft(place=place))
    second, _ = await register(draft(place=place))
    await Duplicates(db, system_clock).find(second)
    assert await relations(dispatcher, second) == [(first, "possible")]
    assert await relations(dispatcher, first) == [(second, "possible")]

    async def counted() -> tuple[int, int]:
        request = pb.GetUnitFiguresRequest(region="KZ-75")
        now = system_clock()
        request.registered_from.CopyFrom(to_timestamp(now - timedelta(days=9)))
        request.registered_until.CopyFrom(to_timestamp(now))
        units = (await dispatcher.at_desk("GetUnitFigures", request)).units
        board = (await dispatcher.at_desk("GetBoard", pb.GetBoardRequest(region="KZ-75"))).units
        return sum(unit.registered for unit in units), sum(unit.open for unit in board)

    registered, is_open = await counted()
    await merge(dispatcher, second, first)
    assert await counted() == (registered - 1, is_open - 1)
    assert await relations(dispatcher, first) == [(second, "merged")]


async def test_what_a_database_holds_is_never_a_merged_complaint(
    dispatcher: As, register: Register, db: Database
) -> None:
    """Whatever a release decides: the table refuses it."""
    secret, _ = await register(complaint())
    report_id, _ = await register(other())
    for child, parent in ((secret, report_id), (report_id, report_id)):
        update = text("UPDATE reports SET parent = :parent WHERE report_id = :child")
        try:
            async with db.begin(SYSTEM) as tx:
                await tx.execute(update.bindparams(parent=UUID(parent), child=UUID(child)))
        except Exception as error:
            assert "violates check constraint" in str(error)
        else:
            raise AssertionError("it was stored")
