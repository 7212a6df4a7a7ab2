"""A bank's list of its payments: pages, filters, and row security beneath them."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from chassis.pages import PageSpec
from fines.model.ledger import PaymentState
from fines.storage.ledger import PaymentFilter
from tartip_testing.mesh import RunningTestMesh

from .bench import KASPI, Bench

Publish = Callable[..., Awaitable[str]]
FIRST = PageSpec(50, ())


async def test_pages_meet_each_payment_of_the_bank_once_the_latest_first(
    bench: Bench, plate: str
) -> None:
    paid = [await a_payment(bench, plate, hours_ago=20 - place) for place in range(5)]
    found: list[UUID] = []
    after: tuple[str, ...] = ()
    while True:
        wanted = PaymentFilter(posted_from=date(2026, 6, 3), posted_until=date(2026, 6, 3))
        page, keys = await bench.payments.payments(PageSpec(2, after), wanted, KASPI)
        found += [payment.payment_id for payment in page if payment.payment_id in paid]
        if len(page) < 2:
            break
        after = keys[-1]
    assert found == paid[::-1]


async def test_filters_hold_together(bench: Bench, plate: str) -> None:
    """Days are Almaty's: what is posted in the last second of a day belongs to it."""
    first = await a_payment(bench, plate, hours_ago=20)
    fine = await payment(bench, first)
    bench.turn_to(date(2026, 6, 4), hours=0)
    bench.clock.now -= timedelta(microseconds=1)
    second = await a_payment(bench, plate, hours_ago=10)
    bench.turn_to(date(2026, 6, 4), hours=0)
    third = await a_payment(bench, plate, hours_ago=5)
    await bench.annul((await bench.fine(fine.number)).violation_id)
    mine = {first, second, third}

    async def listed(**wanted: Any) -> set[UUID]:
        page, _ = await bench.payments.payments(FIRST, PaymentFilter(**wanted), KASPI)
        return {found.payment_id for found in page} & mine

    third_of, fourth = date(2026, 6, 3), date(2026, 6, 4)
    assert await listed() == mine
    assert await listed(state=PaymentState.REFUNDED) == {first}
    assert await listed(state=PaymentState.POSTED) == {second, third}
    assert await listed(number=fine.number) == {first}
    assert await listed(number=fine.number, state=PaymentState.POSTED) == set()
    assert await listed(posted_until=third_of) == {first, second}
    assert await listed(posted_from=fourth) == {third}
    assert await listed(value_date_until=third_of) == {first, second}
    assert await listed(value_date_from=fourth) == {third}
    assert await listed(value_date_from=third_of, posted_until=third_of) == {first, second}


async def test_row_security_shows_a_bank_its_own_payments_and_refunds_alone(
    bench: Bench, plate: str, engines: RunningTestMesh
) -> None:
    payment_id = await a_payment(bench, plate, hours_ago=1)
    await bench.annul((await bench.fine((await payment(bench, payment_id)).number)).violation_id)
    connection = await asyncpg.connect(engines.database.runtime_url("fines"))

    async def seen(table: str, **scope: str) -> int:
        async with connection.transaction():
            for name, value in scope.items():
                await connection.execute("SELECT set_config($1, $2, true)", f"app.{name}", value)
            count = f"SELECT count(*) FROM {table} WHERE payment_id = $1"
            return int(await connection.fetchval(count, payment_id))

    try:
        for table in ("payments", "refunds"):
            assert await seen(table, kind="partner", name="kaspi") == 1
            assert await seen(table, kind="partner", name="halyk") == 0
            assert await seen(table, kind="partner", name="halyk", regions='["*"]') == 0
            assert await seen(table, kind="service", name="kaspi", regions='["*"]') == 0
            assert await seen(table) == 0
            for change in ("UPDATE {} SET amount_minor = 1", "DELETE FROM {}", "TRUNCATE {}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(change.format(table))
    finally:
        await connection.close()


async def a_payment(bench: Bench, plate: str, *, hours_ago: int) -> UUID:
    """The payment of a fine of its own, now."""
    violation = bench.violation(plate, at=bench.clock.now - timedelta(hours=hours_ago))
    fine = await bench.issued(violation)
    await bench.issuing.deliver(fine.number)
    fine = await bench.fine(fine.number)
    paid = await bench.pay(fine.number, fine.amount.discounted_minor, fine.dates.delivered_on)
    assert isinstance(paid.payment_id, UUID)
    return paid.payment_id


async def payment(bench: Bench, payment_id: UUID) -> Any:
    return await bench.payments.payment(payment_id, KASPI)
