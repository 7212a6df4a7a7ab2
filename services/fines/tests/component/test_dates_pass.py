"""What happens when dates pass, on the real database with a clock that the test turns."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chassis.refusals import BadRequest
from fines.clients.post import LetterFolder
from fines.model.law import read_law
from fines.model.refusals import AmountDiffers, FineNotPayable
from host.scheduler import WaitUntilDue
from law.zone import start_of

from .bench import KASPI, Bench
from .facts import Vehicles


async def test_half_through_the_last_minute_of_the_discount_and_all_of_it_after(
    bench: Bench, plate: str
) -> None:
    fine = await bench.delivered(plate)
    last = fine.dates.discount_until
    bench.turn_to(last, hours=23)
    quote = await bench.payments.quote(fine.number, KASPI)
    assert quote.now_minor == fine.amount.discounted_minor
    bench.turn_to(last + timedelta(days=1), hours=0)
    quote = await bench.payments.quote(fine.number, KASPI)
    assert (quote.now_minor, quote.until) == (fine.amount.full_minor, None)
    with pytest.raises(AmountDiffers):
        await bench.pay(fine.number, fine.amount.discounted_minor, last + timedelta(days=1))
    # Taken in time, posted a day late: the value date decides.
    payment = await bench.pay(fine.number, fine.amount.discounted_minor, last)
    assert payment.amount_minor == fine.amount.discounted_minor


async def test_a_value_date_is_neither_of_the_future_nor_of_long_ago(
    bench: Bench, plate: str
) -> None:
    fine = await bench.delivered(plate)
    bench.turn_to(fine.dates.delivered_on + timedelta(days=20))
    for wrong in (fine.dates.delivered_on, fine.dates.delivered_on + timedelta(days=21)):
        with pytest.raises(BadRequest) as refused:
            await bench.pay(fine.number, fine.amount.full_minor, wrong)
        assert refused.value.reason == "VALUE_DATE_WRONG"


async def test_in_force_then_overdue_each_on_its_day_and_once(bench: Bench, plate: str) -> None:
    fine = await bench.delivered(plate)
    number, dates = fine.number, fine.dates
    bench.turn_to(dates.in_force_on, hours=-1)
    with pytest.raises(WaitUntilDue):
        await bench.issuing.come_into_force(number)
    bench.turn_to(dates.in_force_on, hours=0)
    for _ in range(2):
        await bench.issuing.come_into_force(number)
    assert (await bench.fine(number)).state.value == "in_force"
    bench.turn_to(dates.voluntary_until, hours=23)
    with pytest.raises(WaitUntilDue):
        await bench.issuing.fall_overdue(number)
    bench.turn_to(dates.voluntary_until + timedelta(days=1), hours=0)
    for _ in range(2):
        await bench.issuing.fall_overdue(number)
    overdue = await bench.fine(number)
    assert (overdue.state.value, overdue.version) == ("overdue", 4)
    bench.turn_to(dates.voluntary_until + timedelta(days=5))
    await bench.pay(number, fine.amount.full_minor, dates.voluntary_until + timedelta(days=5))
    assert (await bench.fine(number)).state.value == "paid"


async def test_due_rows_stand_for_every_date(bench: Bench, plate: str, database: Any) -> None:
    fine = await bench.delivered(plate)
    rows = await database.fetch("SELECT kind, due_at FROM work WHERE key = $1", fine.number)
    due = {row["kind"]: row["due_at"] for row in rows}
    assert due["tell_discount_ended"] == start_of(fine.dates.discount_until + timedelta(days=1))
    assert due["come_into_force"] == start_of(fine.dates.in_force_on)


async def test_the_owner_is_told_when_the_discount_ends_unless_it_is_paid(
    bench: Bench, plate: str
) -> None:
    fine = await bench.delivered(plate)
    notice = bench.letters / f"{fine.number}.discount-ended.html"
    bench.turn_to(fine.dates.discount_until, hours=23)
    with pytest.raises(WaitUntilDue):
        await bench.issuing.tell_discount_ended(fine.number)
    assert not notice.exists()
    bench.turn_to(fine.dates.discount_until + timedelta(days=1), hours=0)
    await bench.issuing.tell_discount_ended(fine.number)
    assert notice.exists()
    notice.unlink()
    await bench.pay(fine.number, fine.amount.discounted_minor, fine.dates.delivered_on)
    await bench.issuing.tell_discount_ended(fine.number)
    assert not notice.exists()


async def test_a_crash_between_letter_and_commit_is_one_letter_and_one_delivery(
    bench: Bench, plate: str
) -> None:
    number = await bench.confirmed(bench.violation(plate))
    await bench.issuing.issue(number)
    with pytest.raises(FineNotPayable):
        await bench.payments.quote(number, KASPI)
    folder = LetterFolder(bench.letters, bench.clock)
    before = await folder.deliver(number, "the letter of the run that died")
    bench.clock.now += timedelta(days=3)
    for _ in range(2):
        await bench.issuing.deliver(number)
    fine = await bench.fine(number)
    assert fine.delivered_at == before
    assert (fine.state.value, fine.version) == ("delivered", 2)
    assert [path.name for path in bench.letters.iterdir()] == [f"{number}.html"]


async def test_issuing_again_changes_nothing(bench: Bench, plate: str, database: Any) -> None:
    fine = await bench.delivered(plate)
    await bench.issuing.issue(fine.number)
    assert await bench.fine(fine.number) == fine
    count = "SELECT count(*) FROM entries WHERE number = $1"
    assert await database.fetchval(count, fine.number) == 1


async def test_issuing_and_annulling_at_once_leave_nothing_owed(
    bench: Bench, plate: str, database: Any
) -> None:
    for _ in range(10):
        number = await bench.confirmed(bench.violation(plate))
        violation_id = (await bench.fine(number)).violation_id
        await asyncio.gather(bench.issuing.issue(number), bench.annul(violation_id))
        assert (await bench.fine(number)).state.value == "cancelled"
        held = await database.fetchval(
            "SELECT coalesce(sum(CASE WHEN debit_account LIKE 'receivable:%' THEN amount_minor"
            " ELSE -amount_minor END), 0) FROM entries WHERE number = $1",
            number,
        )
        assert held == 0


async def test_a_missing_base_value_holds_by_name(bench: Bench, plate: str) -> None:
    bench.issuing._law = read_law()
    bench.clock.now = datetime(2100, 6, 3, tzinfo=UTC)
    fine = await bench.confirmed(bench.violation(plate))
    with pytest.raises(WaitUntilDue):
        await bench.issuing.issue(fine)
    assert (await bench.fine(fine)).hold_reason == "TABLE_YEAR_MISSING"


async def test_a_register_that_cannot_be_read_holds_by_name(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    number = await bench.confirmed(bench.violation(plate))
    vehicles.path.write_text("{")
    with pytest.raises(WaitUntilDue):
        await bench.issuing.issue(number)
    assert (await bench.fine(number)).hold_reason == "REGISTER_AWAY"
    vehicles.register(plate)
    await bench.issuing.issue(number)
    assert (await bench.fine(number)).state.value == "issued"
