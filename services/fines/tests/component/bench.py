"""The use cases themselves on the real database, with a clock that the test turns.

It begins in June 2026, of which every table tells: no test on it depends on the year in which it
runs.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from chassis.channels import Channels
from chassis.clock import new_id
from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import SYSTEM
from fines.clients.post import ElectronicSeal, LetterFolder
from fines.clients.vehicles import VehicleFile
from fines.clients.violations import ViolationsClient
from fines.model.law import read_law
from fines.storage import fines as stored
from fines.usecases.desk import Desk
from fines.usecases.inquiry import Inquiry
from fines.usecases.issuing import Confirmed, Issuing
from fines.usecases.payments import PaymentDesk, PaymentOrder
from fines.usecases.recheck import Recheck, Rechecked
from law import guards
from law.fine_dates import DayCount
from law.owners import owner_rules
from law.zone import start_of
from tartip.violations.v1 import violations_pb2
from vault.keyring import Keyring

from .facts import STORY, ViolationsPeer, a_violation

KASPI = Caller("partner", "kaspi")
BEGINNING = datetime(2026, 6, 3, 6, 0, tzinfo=UTC)


@dataclass
class TurnedClock:
    now: datetime = BEGINNING

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Bench:
    db: Database
    clock: TurnedClock
    peer: ViolationsPeer
    register: VehicleFile
    letters: Path
    channels: Channels
    numbers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        law = read_law(assume_years=True)
        violations = ViolationsClient(self.channels.to(self.peer.address, "violations"))
        inquiry = Inquiry(violations, self.register, law, guards.load(), owner_rules())
        self.issuing = Issuing(
            self.db,
            self.clock,
            law,
            DayCount.WORKING,
            inquiry=inquiry,
            post=LetterFolder(self.letters, self.clock),
            seal=ElectronicSeal(self.db.keyring.signing_key("letter")),
        )
        self.payments = PaymentDesk(self.db, self.clock)
        self.desk = Desk(self.db, self.clock)
        self.recheck = Recheck(self.db, inquiry)

    def violation(self, plate: str, **changes: Any) -> violations_pb2.Violation:
        return a_violation(plate, decided_at=self.clock(), **changes)

    async def confirmed(self, violation: violations_pb2.Violation) -> str:
        """The number of an awaiting fine."""
        self.peer.known[violation.violation_id] = violation
        told = Confirmed(
            violation_id=violation.violation_id,
            report_id="",
            region=violation.place.region,
            offence_code=violation.offence.code,
            occurred_at=violation.occurred_at.ToDatetime(tzinfo=UTC),
            confirmed_at=self.clock(),
        )
        async with self.db.begin(SYSTEM) as tx:
            await self.issuing.note_confirmed(tx, told, STORY)
            fine = await stored.get_of_violation_for_update(tx, violation.violation_id)
        assert fine is not None
        self.numbers.append(fine.number)
        return fine.number

    async def issued(self, violation: violations_pb2.Violation) -> Any:
        number = await self.confirmed(violation)
        await self.issuing.issue(number)
        return await self.fine(number)

    async def delivered(self, plate: str) -> Any:
        number = await self.confirmed(self.violation(plate))
        await self.issuing.issue(number)
        await self.issuing.deliver(number)
        return await self.fine(number)

    async def annul(self, violation_id: str) -> None:
        async with self.db.begin(SYSTEM) as tx:
            await self.issuing.note_annulled(
                tx,
                violation_id,
                region="KZ-75",
                report_id="",
                annulled_at=self.clock(),
                story=STORY,
            )

    async def fine(self, number: str) -> Any:
        async with self.db.begin(SYSTEM) as tx:
            return await stored.get(tx, number)

    async def state(self, number: str) -> str:
        return str((await self.fine(number)).state.value)

    async def rechecked(self, caller: Caller, region: str = "") -> dict[str, Rechecked]:
        """By number, only this test's fines."""
        found = [one async for one in self.recheck.issued(region, "", caller)]
        return {one.fine.number: one for one in found if one.fine.number in self.numbers}

    def turn_to(self, day: date, *, hours: int = 12) -> None:
        self.clock.now = start_of(day) + timedelta(hours=hours)

    async def pay(
        self, number: str, amount_minor: int, value_date: date, bank: Caller = KASPI
    ) -> Any:
        order = PaymentOrder(
            payment_id=new_id(),
            number=number,
            amount_minor=amount_minor,
            currency="KZT",
            bank_reference=new_id().hex,
            value_date=value_date,
        )
        return await self.payments.pay(order, bank)


def keyring_of(environment: dict[str, str]) -> Keyring:
    return Keyring(Path(environment["TARTIP_KEYS_DIR"]))
