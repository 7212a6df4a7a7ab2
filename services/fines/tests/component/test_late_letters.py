"""The term for sending a prescription counts until it is sent, not until it is written."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import new_id, system_clock
from chassis.db import SYSTEM, Database
from chassis.sealing import Keyring
from fines.lawbooks import read_lawbooks
from fines.model.days import DayCount
from fines.model.fine import Fine
from fines.model.identifiers import new_number
from fines.model.prescription import ConfirmedViolation, Device, Owner, Registration
from fines.storage import fines
from fines.usecases.issuing import Issuing

OWNER = Owner("900101300017", "Test Owner", "Almaty, Abai 1", "+77010000000")


class Outside:
    """Peers that know one violation and one owner, and a post that counts its letters."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.letters: list[str] = []
        self.occurred_at = clock()

    async def violation(self, violation_id: str) -> ConfirmedViolation:
        verified = self.occurred_at - timedelta(days=9), self.occurred_at + timedelta(days=9)
        return ConfirmedViolation(
            violation_id=violation_id, is_confirmed=True, from_device=True, hold_reason="",
            offence_code="SPEED_20_40", article="592(2)", rules_version="rules@sha256:0",
            occurred_at=self.occurred_at, plate="453DXA12", address="Almaty, Dostyk 5",
            latitude=43.24, longitude=76.95, device=Device("S", "SN-1", "KZ.C.1", "V-1", *verified),
            speed_kmh=93.0, speed_limit_kmh=60.0, over_kmh=31.0, signal_phase="",
            signal_age_seconds=None, past_stop_line=None, evidence_sha256=("ab" * 32,),
            officer="inspector-almaty", decided_at=self.occurred_at,
        )  # fmt: skip

    async def registrations(self, plate: str) -> tuple[Registration, ...]:
        return (Registration("Toyota", "Camry", OWNER),)

    async def deliver(self, name: str, letter: str) -> datetime:
        self.letters.append(name)
        return self._clock()

    def sign(self, content: str) -> str:
        return content


class Desk:
    """One fine after the other, at whatever moment the test says that it is."""

    def __init__(self, db: Database) -> None:
        # Ahead of the clock on the wall: a service that runs beside finds nothing due.
        self.now = system_clock().replace(hour=6, minute=0) + timedelta(days=2)
        self.outside = Outside(lambda: self.now)
        self._db = db
        self.issuing = Issuing(
            db, lambda: self.now, read_lawbooks(assume_years=True), DayCount.WORKING,
            violations=self.outside, register=self.outside, post=self.outside, seal=self.outside,
        )  # fmt: skip

    async def confirmed(self) -> str:
        fine = Fine(new_number(), str(new_id()), "", "KZ-75", "0" * 32, "SPEED_20_40", self.now)
        self.outside.occurred_at = self.now
        async with self._db.begin(SYSTEM) as tx:
            await fines.add(tx, fine, self.now)
        return fine.number

    async def state(self, number: str) -> str:
        async with self._db.begin(SYSTEM) as tx:
            return (await fines.get(tx, number)).state.value


@pytest.fixture
async def desk(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Desk]:
    db = Database(
        environment["TARTIP_DATABASE_URL"], service="fines", keyring=Keyring(tmp_path / "keys"),
        clock=system_clock,
    )  # fmt: skip
    yield Desk(db)
    await db.close()


async def test_a_letter_that_could_not_go_in_time_does_not_go(desk: Desk, database: Any) -> None:
    number = await desk.confirmed()
    desk.now += timedelta(days=10)
    await desk.issuing.issue(number)
    assert await desk.state(number) == "issued"
    desk.now += timedelta(days=1)  # the post was away over midnight
    await desk.issuing.deliver(number)
    assert await desk.state(number) == "cancelled"
    assert desk.outside.letters == []
    held = await database.fetchval(
        "SELECT sum(CASE WHEN debit_account LIKE 'receivable:%' THEN amount_minor"
        " ELSE -amount_minor END) FROM entries WHERE number = $1",
        number,
    )
    assert held == 0


async def test_a_letter_that_goes_on_the_last_day_is_in_time(desk: Desk) -> None:
    number = await desk.confirmed()
    desk.now += timedelta(days=10)
    await desk.issuing.issue(number)
    await desk.issuing.deliver(number)
    assert await desk.state(number) == "delivered"
    assert desk.outside.letters == [number]


async def test_midnight_that_passes_while_peers_are_asked_holds_the_fine(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await desk.confirmed()
    desk.now += timedelta(days=10)
    slow = desk.outside.registrations

    async def registrations(plate: str) -> tuple[Registration, ...]:
        desk.now += timedelta(days=1)
        return await slow(plate)

    monkeypatch.setattr(desk.outside, "registrations", registrations)
    await desk.issuing.issue(number)
    assert await desk.state(number) == "awaiting"
