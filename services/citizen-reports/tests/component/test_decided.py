"""A report that is changed behind the service's back is named; a hidden one by its alias alone."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.audit import served_differences
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, Register, complaint, until

Answered = Callable[..., Awaitable[tuple[str, str]]]


@pytest.fixture
def answered(dispatcher: As, as_: Callable[..., As], register: Register) -> Answered:
    """The id and number of an answered report."""

    async def answer(given: pb.OpenReportRequest | None = None, *, by: str = "") -> Any:
        report_id, receipt = await register(given)
        desk = as_("operator-gateway", operator=by) if by else dispatcher
        await desk.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
        request = pb.AnswerReportRequest(
            report_id=report_id, answer="The lamp is mended", outcome="measures_taken"
        )
        await desk.at_desk("AnswerReport", request)
        return report_id, receipt.number

    return answer


@pytest.fixture
def behind(engines: RunningTestMesh) -> Callable[..., Awaitable[None]]:
    """Executes a statement as the database's administrator, past row security."""

    async def execute(statement: str, *values: Any) -> None:
        connection = await asyncpg.connect(engines.database.url)
        await connection.execute("SET search_path = citizen_reports")
        await connection.execute(statement, *values)
        await connection.close()

    return execute


CHANGES = {
    "operator": ("reports", "operator = 'dispatcher-astana'", ""),
    "deadline": ("reports", "due_at = due_at + interval '30 days'", ""),
    "status": ("reports", "status = 'closed'", ""),
    "answer": ("contents", "answer = question", " (answer)"),
    "other answer": ("contents", "answer = text", " (answer)"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_change_of_an_answered_report_is_named(
    engines: RunningTestMesh,
    answered: Answered,
    behind: Callable[..., Awaitable[None]],
    change: tuple[str, str, str],
) -> None:
    table, assignment, kind = change
    report_id, number = await answered()
    assert not about(await served_differences(engines, "citizen-reports"), number)
    await behind(f"UPDATE {table} SET {assignment} WHERE report_id = $1", report_id)

    async def differing() -> set[str]:
        return about(await served_differences(engines, "citizen-reports"), number)

    [found] = await until(differing)  # what is gone is found once its entry is sealed
    assert found.startswith(f"report:{number}{kind}: ")
    if table == "contents":  # its app could not be shown its reports
        await behind("UPDATE contents SET answer = NULL WHERE report_id = $1", report_id)


async def test_a_changed_complaint_is_found_and_its_number_is_not_told(
    engines: RunningTestMesh, answered: Answered, behind: Callable[..., Awaitable[None]]
) -> None:
    report_id, number = await answered(complaint(), by="security-1")
    before = await served_differences(engines, "citizen-reports")
    await behind("UPDATE reports SET operator = 'security-2' WHERE report_id = $1", report_id)
    new = await served_differences(engines, "citizen-reports") - before
    # What the tests before have done to other reports may be found only now.
    [found] = [line for line in new if not line.startswith("report:")]
    assert found.startswith("hidden:") and not about(new, number)


def about(found: set[str], number: str) -> set[str]:
    return {line for line in found if number in line}
