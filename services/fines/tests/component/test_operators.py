"""What operators do with fines, what the figures say, and what the database forbids to all."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from chassis.clock import new_id
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .conftest import As
from .facts import insisting, payment_of

Publish = Callable[..., Awaitable[str]]
FineOf = Callable[..., Awaitable[Any]]


async def test_cancelling_a_paid_fine_refunds_it(
    a_fine: Any, kaspi: As, operator: Callable[[str], As], database: Any
) -> None:
    await kaspi.call("PayFine", payment_of(a_fine))
    supervisor, number = operator("supervisor-almaty"), a_fine["number"]
    request = pb.CancelFineRequest(
        cancellation_id=str(new_id()), number=number, reason="the plate was misread"
    )
    answer = await supervisor.call("CancelFine", request)
    assert answer.fine.state == pb.FINE_STATE_CANCELLED
    assert (await supervisor.call("CancelFine", request)).fine == answer.fine
    request.reason = "another"
    assert (await supervisor.refused("CancelFine", request)).reason == "ID_REUSED"
    again = pb.CancelFineRequest(cancellation_id=str(new_id()), number=number, reason="x")
    assert (await supervisor.refused("CancelFine", again)).reason == "FINE_ALREADY_CANCELLED"
    entries = (
        await operator("finance-1").call("ListEntries", pb.ListEntriesRequest(number=number))
    ).entries
    assert [entry.kind for entry in entries] == [
        "issue",
        "payment",
        "discount",
        "discount",
        "refund",
        "cancellation",
    ]
    subjects = await database.fetch(
        "SELECT subject, version FROM outbox WHERE aggregate = $1 ORDER BY position", number
    )
    assert [(row["subject"].removeprefix("fines.v1."), row["version"]) for row in subjects] == [
        ("issued", 1),
        ("delivered", 2),
        ("paid", 3),
        ("refunded", 4),
        ("cancelled", 5),
    ]
    late = await kaspi.refused("PayFine", payment_of(a_fine))
    assert late.reason == "FINE_CANCELLED"


async def test_paying_and_cancelling_at_once_leave_nothing_owed(
    a_fine: Any, kaspi: As, operator: Callable[[str], As], database: Any
) -> None:
    supervisor, number = operator("supervisor-almaty"), a_fine["number"]
    cancel = pb.CancelFineRequest(cancellation_id=str(new_id()), number=number, reason="race")
    await asyncio.gather(
        insisting(kaspi, payment_of(a_fine)),
        supervisor.call("CancelFine", cancel),
        return_exceptions=True,
    )
    money = "SELECT coalesce(sum(amount_minor), 0) FROM entries WHERE number = $1 AND kind = $2"
    paid = await database.fetchval(money, number, "payment")
    assert paid == await database.fetchval(money, number, "refund")
    state = await database.fetchval("SELECT state FROM fines WHERE number = $1", number)
    assert state == "cancelled"


async def test_revenue_adds_up_and_the_ledger_balances(
    a_fine: Any, kaspi: As, operator: Callable[[str], As]
) -> None:
    finance, today = operator("finance-1"), a_fine["delivered_on"].isoformat()
    request = pb.GetRevenueRequest(from_day=today, until_day=today, region="KZ-75")
    before = (await finance.call("GetRevenue", request)).total
    await kaspi.call("PayFine", payment_of(a_fine))
    answer = await finance.call("GetRevenue", request)
    half = a_fine["discounted_minor"]
    assert answer.imbalance_minor == 0
    assert answer.total.paid_count == before.paid_count + 1
    assert answer.total.collected.amount_minor == before.collected.amount_minor + half
    assert answer.total.discounts.amount_minor == before.discounts.amount_minor + half
    backwards = pb.GetRevenueRequest(from_day=today, until_day="2020-01-01")
    assert (await finance.refused("GetRevenue", backwards)).reason == "BAD_REQUEST"


async def test_a_ledger_that_was_tampered_with_shows_in_the_figures(
    a_fine: Any, engines: Any, operator: Callable[[str], As]
) -> None:
    finance, today = operator("finance-1"), a_fine["delivered_on"].isoformat()
    request = pb.GetRevenueRequest(from_day=today, until_day=today, region="KZ-75")
    raw = await asyncpg.connect(engines.database.url)
    try:  # past every trigger and grant, as whoever holds the disk can
        await raw.execute("SET session_replication_role = replica")
        number = a_fine["number"]
        take = "UPDATE fines.entries SET amount_minor = amount_minor {} WHERE number = $1"
        await raw.execute(take.format("- 100"), number)
        assert (await finance.call("GetRevenue", request)).imbalance_minor == 100
        await raw.execute(take.format("+ 100"), number)
        assert (await finance.call("GetRevenue", request)).imbalance_minor == 0
    finally:
        await raw.close()


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        (
            "ListFines",
            pb.ListFinesRequest(region="\0", violation_id="\0"),
            {"region", "violation_id"},
        ),
        ("ListFines", pb.ListFinesRequest(state=99), {"state"}),  # type: ignore[arg-type]
        ("ListFines", pb.ListFinesRequest(page=common_pb2.Page(size=-1)), {"page.size"}),
        (
            "GetRevenue",
            pb.GetRevenueRequest(from_day="9999-12-31", until_day="0001-01-01"),
            {"from_day", "until_day"},
        ),
        (
            "GetRevenue",
            pb.GetRevenueRequest(from_day="20260101", until_day="", region="x"),
            {"from_day", "until_day", "region"},
        ),
    ],
)
async def test_every_wrong_field_of_an_operator_is_named(
    operator: Callable[[str], As], method: str, request_: Any, fields: set[str]
) -> None:
    name = "finance-1" if method == "GetRevenue" else "inspector-almaty"
    refused = await operator(name).refused(method, request_)
    assert {error.field for error in refused.fields} == fields


@pytest.mark.parametrize(
    "after", [("x", "y"), ("2026-01-01", "000000000000000"), ("2026-01-01T00:00:00+00:00", "\0")]
)
async def test_a_forged_page_token_is_refused(
    operator: Callable[[str], As], after: tuple[str, str]
) -> None:
    token = base64.urlsafe_b64encode(json.dumps(["fines", *after]).encode()).decode()
    request = pb.ListFinesRequest(page=common_pb2.Page(token=token))
    refused = await operator("inspector-almaty").refused("ListFines", request)
    assert refused.reason == "PAGE_TOKEN_WRONG"


async def test_who_may_do_what(a_fine: Any, kaspi: As, operator: Callable[[str], As]) -> None:
    get = pb.GetFineRequest(number=a_fine["number"])
    shown = (await operator("inspector-almaty").call("GetFine", get)).fine
    assert shown.owner_masked == "9001••••••17"
    assert (await operator("inspector-astana").refused("GetFine", get)).reason == "FINE_NOT_FOUND"
    listed = await operator("inspector-astana").call("ListFines", pb.ListFinesRequest())
    assert a_fine["number"] not in {fine.number for fine in listed.fines}
    assert (await kaspi.refused("GetFine", get)).reason == "NOT_ALLOWED"
    cancel = pb.CancelFineRequest(
        cancellation_id=str(new_id()), number=a_fine["number"], reason="x"
    )
    assert (
        await operator("inspector-almaty").refused("CancelFine", cancel)
    ).reason == "NOT_ALLOWED"
    quote = pb.QuoteFineRequest(number=a_fine["number"])
    assert (await operator("supervisor-almaty").refused("QuoteFine", quote)).reason == "NOT_ALLOWED"
    cancel.reason = " "
    refused = await operator("supervisor-almaty").refused("CancelFine", cancel)
    assert refused.reason == "REASON_REQUIRED"


async def test_the_runtime_role_cannot_change_what_was_posted(
    a_fine: Any, engines: RunningTestMesh
) -> None:
    connection = await asyncpg.connect(engines.database.runtime_url("fines"))
    try:
        for statement in (
            "UPDATE entries SET amount_minor = 1",
            "DELETE FROM entries",
            "TRUNCATE entries",
            "UPDATE payments SET amount_minor = 1",
            "DELETE FROM payments",
            "DELETE FROM fines",
            "ALTER TABLE entries DISABLE TRIGGER ALL",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_row_security_shows_a_bank_one_key_and_an_operator_one_region(
    a_fine: Any, engines: RunningTestMesh
) -> None:
    connection = await asyncpg.connect(engines.database.runtime_url("fines"))

    async def seen(**scope: str) -> int:
        async with connection.transaction():
            for name, value in scope.items():
                await connection.execute("SELECT set_config($1, $2, true)", f"app.{name}", value)
            count = "SELECT count(*) FROM fines WHERE number = $1"
            return int(await connection.fetchval(count, a_fine["number"]))

    try:
        assert await seen() == 0
        assert await seen(kind="partner", name="kaspi") == 0
        assert await seen(kind="partner", name="kaspi", regions='["*"]') == 0
        assert await seen(kind="partner", lookup=f"number:{a_fine['number']}") == 1
        assert await seen(kind="service", regions='["*"]') == 0
        assert await seen(kind="operator", regions='["KZ-71"]') == 0
        assert await seen(kind="operator", regions='["KZ-75"]') == 1
        assert await seen(kind="service", name="tartip-cli") == 1
        assert await seen(kind="service", name="violations") == 0
    finally:
        await connection.close()


async def test_a_fine_that_its_ledger_contradicts_is_not_committed(
    a_fine: Any, engines: RunningTestMesh
) -> None:
    connection = await asyncpg.connect(engines.database.runtime_url("fines"))
    try:
        with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.kind', 'system', true)")
                await connection.execute(
                    "UPDATE fines SET state = 'paid' WHERE number = $1", a_fine["number"]
                )
    finally:
        await connection.close()
