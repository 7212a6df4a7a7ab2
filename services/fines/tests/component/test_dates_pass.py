"""What time brings, on the real database with a clock that the test turns."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from chassis.channels import Channels
from chassis.clock import new_id, system_clock
from chassis.db import SYSTEM, Database
from chassis.identity import Caller
from chassis.refusals import BadRequest
from chassis.scheduler import WaitUntilDue
from chassis.sealing import Keyring
from fines.clients import ElectronicSeal, LetterFolder, VehicleFile, ViolationsClient
from fines.lawbooks import read_lawbooks
from fines.model.days import DayCount, start_of
from fines.model.refusals import AmountDiffers, FineNotPayable
from fines.storage import fines as stored
from fines.usecases.counter import Counter, PaymentOrder
from fines.usecases.issuing import Confirmed, Issuing
from tartip_cli.testing import RunningTestMesh

from .conftest import REGION, STORY, Vehicles, ViolationsPeer, a_violation

KASPI = Caller("partner", "kaspi")


@dataclass
class TurnedClock:
    now: datetime = field(default_factory=system_clock)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Bench:
    """The use cases themselves, in this process."""

    clock: TurnedClock
    db: Database
    issuing: Issuing
    counter: Counter
    peer: ViolationsPeer
    letters: Path

    async def confirmed(self, plate: str) -> str:
        """The number of an awaiting fine."""
        violation = a_violation(plate)
        self.peer.known[violation.violation_id] = violation
        told = Confirmed(
            violation_id=violation.violation_id,
            report_id="",
            region=REGION,
            offence_code=violation.offence.code,
            occurred_at=violation.occurred_at.ToDatetime(tzinfo=UTC),
            confirmed_at=self.clock(),
        )
        async with self.db.begin(SYSTEM) as tx:
            await self.issuing.note_confirmed(tx, told, STORY)
            fine = await stored.of_violation_for_update(tx, violation.violation_id)
        assert fine is not None
        return fine.number

    async def delivered(self, plate: str) -> Any:
        number = await self.confirmed(plate)
        await self.issuing.issue(number)
        await self.issuing.deliver(number)
        return await self.fine(number)

    async def fine(self, number: str) -> Any:
        async with self.db.begin(SYSTEM) as tx:
            return await stored.get(tx, number)

    def turn_to(self, day: date, *, hours: int = 12) -> None:
        self.clock.now = start_of(day) + timedelta(hours=hours)

    async def pay(self, number: str, amount_minor: int, value_date: date) -> Any:
        order = PaymentOrder(
            payment_id=UUID(str(new_id())),
            number=number,
            amount_minor=amount_minor,
            currency="KZT",
            bank_reference=new_id().hex,
            value_date=value_date,
        )
        return await self.counter.pay(order, KASPI)


@pytest_asyncio.fixture
async def bench(
    engines: RunningTestMesh, environment: dict[str, str], peer: ViolationsPeer,
    vehicles: Vehicles, tmp_path: Path,
) -> AsyncIterator[Bench]:  # fmt: skip
    clock = TurnedClock()
    keyring = Keyring(Path(environment["TARTIP_KEYS_DIR"]))
    db = Database(
        engines.database.runtime_url("fines"), service="fines", keyring=keyring, clock=clock
    )
    pair = engines.certificates.service("fines")
    channels = Channels(cert=pair.certificate, key=pair.key, ca=engines.certificates.authority)
    issuing = Issuing(
        db, clock, read_lawbooks(assume_years=True), DayCount.WORKING,
        violations=ViolationsClient(channels.to(peer.address, "violations")),
        register=VehicleFile(vehicles.path),
        post=LetterFolder(tmp_path),
        seal=ElectronicSeal(keyring.signing_key("letter")),
    )  # fmt: skip
    yield Bench(clock, db, issuing, Counter(db, clock), peer, tmp_path)
    await channels.close()
    await db.close()


async def test_half_through_the_last_minute_of_the_discount_and_all_of_it_after(
    bench: Bench, plate: str
) -> None:
    fine = await bench.delivered(plate)
    last = fine.dates.discount_until
    bench.turn_to(last, hours=23)
    assert (await bench.counter.quote(fine.number, KASPI)).now_minor == fine.amount.discounted_minor
    bench.turn_to(last + timedelta(days=1), hours=0)
    quote = await bench.counter.quote(fine.number, KASPI)
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
    await bench.issuing.tell_discount_ended(fine.number)
    assert notice.exists()
    notice.unlink()
    await bench.pay(fine.number, fine.amount.discounted_minor, fine.dates.delivered_on)
    await bench.issuing.tell_discount_ended(fine.number)
    assert not notice.exists()


async def test_a_crash_between_letter_and_commit_is_one_letter_and_one_delivery(
    bench: Bench, plate: str
) -> None:
    number = await bench.confirmed(plate)
    await bench.issuing.issue(number)
    with pytest.raises(FineNotPayable):
        await bench.counter.quote(number, KASPI)
    folder = LetterFolder(bench.letters)
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
    async def annul(number: str) -> None:
        violation_id = (await bench.fine(number)).violation_id
        async with bench.db.begin(SYSTEM) as tx:
            await bench.issuing.note_annulled(
                tx,
                violation_id,
                region=REGION,
                report_id="",
                annulled_at=bench.clock(),
                story=STORY,
            )

    for _ in range(10):
        number = await bench.confirmed(plate)
        await asyncio.gather(bench.issuing.issue(number), annul(number))
        assert (await bench.fine(number)).state.value == "cancelled"
        held = await database.fetchval(
            "SELECT coalesce(sum(CASE WHEN debit_account LIKE 'receivable:%' THEN amount_minor"
            " ELSE -amount_minor END), 0) FROM entries WHERE number = $1",
            number,
        )
        assert held == 0


async def test_a_missing_base_value_holds_by_name(bench: Bench, plate: str) -> None:
    number = await bench.confirmed(plate)
    bench.issuing._lawbooks = read_lawbooks()
    bench.clock.now = datetime(2099, 1, 3, tzinfo=UTC)
    violation = a_violation(plate, violation_id=(await bench.fine(number)).violation_id)
    violation.occurred_at.FromDatetime(datetime(2099, 1, 2))  # noqa: DTZ001
    violation.device.verification_until.FromDatetime(datetime(2100, 1, 2))  # noqa: DTZ001
    bench.peer.known[violation.violation_id] = violation
    async with bench.db.begin(SYSTEM) as tx:
        fine = await stored.get(tx, number)
        moved = type(fine)(**vars(fine) | {"occurred_at": datetime(2099, 1, 2, tzinfo=UTC)})
        await stored.save(tx, moved)
    with pytest.raises(WaitUntilDue):
        await bench.issuing.issue(number)
    assert (await bench.fine(number)).hold_reason == "TABLE_YEAR_MISSING"


async def test_a_register_that_cannot_be_read_holds_by_name(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    number = await bench.confirmed(plate)
    vehicles.path.write_text("{")
    with pytest.raises(WaitUntilDue):
        await bench.issuing.issue(number)
    assert (await bench.fine(number)).hold_reason == "REGISTER_AWAY"
    vehicles.register(plate)
    await bench.issuing.issue(number)
    assert (await bench.fine(number)).state.value == "issued"
