"""The board and the figures count what the caller may see, and nothing else."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from chassis.clock import system_clock, to_timestamp
from chassis.db import Database
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Register, complaint, draft, refused
from .test_actions import queue
from .test_clocks import act, escalation, moment

ANSWER = {"answer": "The lamp is mended", "outcome": "measures_taken"}


@pytest.mark.parametrize(
    "operator", ["dispatcher-almaty", "inspector-almaty", "inspector-astana", "security-1"]
)
async def test_the_board_counts_what_the_queue_shows(
    as_: Callable[..., As], register: Register, operator: str
) -> None:
    """Also of complaints: one that names the caller is in neither."""
    await register(draft(category=pb.CATEGORY_OTHER))
    await register(complaint())
    await register(complaint(officer="the one called Security-1"))
    taken, _ = await register()
    await act(as_(operator="inspector-almaty"), "TakeReport", taken)
    caller = as_(operator=operator)
    shown = await queue(caller)
    units = (await caller.at_desk("GetBoard", pb.GetBoardRequest())).units
    assert {one.unit: one.open for one in units} == Counter(row.unit for row in shown)
    assert {one.unit: one.unassigned for one in units if one.unassigned} == Counter(
        row.unit for row in shown if not row.operator
    )
    assert sum(one.overdue for one in units) == sum(row.overdue for row in shown)
    held = Counter((row.unit, row.operator) for row in shown if row.operator)
    assert {(one.unit, each.operator): each.open for one in units for each in one.officers} == held
    unassigned = [one.unassigned for one in units]
    assert unassigned == sorted(unassigned, reverse=True)


async def test_a_warning_is_seen_on_the_board(
    dispatcher: As, register: Register, db: Database
) -> None:
    async def soon() -> int:
        board = await dispatcher.at_desk("GetBoard", pb.GetBoardRequest(region="KZ-75"))
        return sum(one.due_soon for one in board.units)

    before = await soon()
    report_id, receipt = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    due = moment(receipt.response_due_at)
    await escalation(db, lambda: due - timedelta(seconds=30)).warn(f"{report_id}:response:1")
    assert await soon() == before + 1
    await act(dispatcher, "RecordArrival", report_id)
    assert await soon() == before


async def test_figures_tell_how_the_reports_of_a_period_were_handled(
    dispatcher: As, kaspi: As, register: Register, as_: Callable[..., As]
) -> None:
    start = system_clock()
    on_time, _ = await register(draft(category=pb.CATEGORY_OTHER))
    await act(dispatcher, "TakeReport", on_time)
    await act(dispatcher, "AnswerReport", on_time, **ANSWER)
    reopened, receipt = await register(draft(category=pb.CATEGORY_OTHER))
    await act(dispatcher, "TakeReport", reopened)
    await act(dispatcher, "AnswerReport", reopened, **ANSWER)
    dispute = pb.DisputeAnswerRequest(report_id=reopened, text="Still there")
    await kaspi.app("DisputeAnswer", dispute)
    await register(complaint())
    request = pb.GetUnitFiguresRequest(
        region="KZ-75",
        registered_from=to_timestamp(start),
        registered_until=to_timestamp(system_clock()),
    )
    [figures] = (await dispatcher.at_desk("GetUnitFigures", request)).units
    assert (figures.unit, figures.registered) == (receipt.unit, 2)
    assert (figures.on_time, figures.late, figures.overdue, figures.reopened) == (1, 0, 0, 1)
    assert 0 < figures.median_minutes_to_first_action < 1
    [own] = (await as_(operator="security-1").at_desk("GetUnitFigures", request)).units
    assert (own.unit, own.registered) == ("internal-security", 1)


async def test_a_period_is_neither_missing_reversed_nor_longer_than_a_year(dispatcher: As) -> None:
    now = system_clock()
    for start, end in ((None, now), (now, now), (now - timedelta(days=367), now)):
        request = pb.GetUnitFiguresRequest(registered_until=to_timestamp(end))
        if start is not None:
            request.registered_from.CopyFrom(to_timestamp(start))
        refusal = await refused(dispatcher.at_desk("GetUnitFigures", request))
        assert [error.code for error in refusal.fields] == ["PERIOD_WRONG"]
    refusal = await refused(dispatcher.at_desk("GetBoard", pb.GetBoardRequest(region="KZ-99")))
    assert [error.code for error in refusal.fields] == ["REGION_UNKNOWN"]
