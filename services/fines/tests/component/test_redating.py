"""Dates of open fines computed again on the real database: audited, published, scheduled, once."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from audit_log.decisions import Decision
from chassis.channels import refusals_of
from chassis.clock import new_id
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Refusal
from chassis.transaction import SYSTEM
from fines.model import ledger as rules
from fines.model.fine import Fine, SealedParticulars, State, new_number
from fines.model.law import read_law
from fines.storage import fines, ledger
from fines.usecases.cancelling import ANNULLED, cancel_in
from fines.usecases.redating import Redated, Redating
from law.calendar import Calendar, CalendarYear
from law.fine_dates import DayCount, legal_dates
from law.zone import start_of
from tartip.fines.v1 import fines_pb2 as pb
from tartip.fines.v1 import fines_pb2_grpc
from vault.keyring import Keyring

CLI = Caller("service", "tartip-cli", purpose="the table of 2027 was wrong")
LAW = read_law()
RIGHT = LAW.calendar
# As the table of 2027 was before: 15 March was no holiday in it.
WRONG = Calendar(
    {
        **RIGHT.years,
        2027: CalendarYear(
            RIGHT.years[2027].days_off - {date(2027, 3, 15)}, frozenset(), "wrong.1"
        ),
    }
)
DELIVERED = date(2027, 3, 10)
STORED = legal_dates(DELIVERED, WRONG, LAW.terms, DayCount.WORKING)
COUNTED = legal_dates(DELIVERED, RIGHT, LAW.terms, DayCount.WORKING)


class Desk:
    """Fines of this test, and the use case at a moment that the test chooses."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.now = start_of(DELIVERED + timedelta(days=1))
        self.numbers: list[str] = []

    def redating(self, calendar: Calendar = RIGHT) -> Redating:
        law = replace(LAW, yearly=replace(LAW.yearly, calendar=calendar))
        return Redating(self._db, lambda: self.now, law)

    async def add(self, state: State = State.DELIVERED) -> str:
        """A stored fine with its ledger entries and its scheduled work."""
        at = start_of(DELIVERED)
        article = LAW.articles.on(date(2026, 6, 3)).by_code["RED_LIGHT"]
        amount = LAW.amount(article, date(2026, 6, 3))
        async with self._db.begin(SYSTEM) as tx:
            key = await tx.keys.new("person")
            sealed = SealedParticulars(key.key_id, b"-", new_id().bytes, new_id().bytes)
            waiting = Fine(new_number(), str(new_id()), "", "KZ-75", "0" * 32, "RED_LIGHT", at, at)
            issued = waiting.issue(article, amount, sealed, at)
            delivered = replace(issued.deliver(at, STORED), state=state)
            await fines.add(tx, waiting, Decision("reserve"))
            posted = rules.on_issue(issued, at)
            decision = Decision("issue", beside=ledger.of_entries(posted))
            ledger.post(tx, posted, await fines.save(tx, issued, decision))
            await fines.save(tx, delivered, Decision("record_delivery"))
            await tx.schedule("come_into_force", waiting.number, start_of(STORED.in_force_on))
        self.numbers.append(waiting.number)
        return waiting.number

    async def run(self, *, dry_run: bool = False, **chosen: Any) -> dict[str, Redated]:
        """By number, only this test's fines."""
        redating = self.redating(**chosen)
        found = [one async for one in redating.run("", CLI, dry_run=dry_run)]
        return {one.before.number: one for one in found if one.before.number in self.numbers}

    async def fine(self, number: str) -> Fine:
        async with self._db.begin(SYSTEM) as tx:
            return await fines.get(tx, number)


@pytest_asyncio.fixture
async def desk(environment: dict[str, str], tmp_path: Path, database: Any) -> AsyncIterator[Desk]:
    db = Database(
        environment["TARTIP_DATABASE_URL"],
        service="fines",
        keyring=Keyring(tmp_path / "keys"),
        clock=lambda: opened.now,
    )
    opened = Desk(db)
    yield opened
    # Nothing of another time is left to a service that runs later.
    await database.execute("DELETE FROM work WHERE key = ANY($1::text[])", opened.numbers)
    await db.close()


async def work_of(database: Any, number: str) -> dict[str, datetime]:
    rows = await database.fetch(
        "SELECT kind, due_at FROM work WHERE key = $1 AND done_at IS NULL", number
    )
    return {row["kind"]: row["due_at"] for row in rows}


async def facts_of(database: Any, number: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Its audit entries of redating, and the subjects of its events."""
    rows = await database.fetch("SELECT canonical FROM audit ORDER BY position")
    entries = [json.loads(row["canonical"]) for row in rows]
    audited = [
        one for one in entries if one["object"] == f"fine:{number}" and one["action"] == "redate"
    ]
    told = await database.fetch(
        "SELECT subject FROM outbox WHERE aggregate = $1 ORDER BY position", number
    )
    return audited, [row["subject"] for row in told]


async def test_a_fine_with_terms_too_short_gets_the_right_ones_once(
    desk: Desk, database: Any
) -> None:
    number = await desk.add()
    told = (await desk.run())[number]
    assert (told.before.dates, told.after.dates) == (STORED, COUNTED)
    fine = await desk.fine(number)
    assert (fine.dates, fine.state) == (COUNTED, State.DELIVERED)
    audited, subjects = await facts_of(database, number)
    [entry] = audited
    assert entry["actor"] == "system/tartip-cli" and entry["purpose"] == CLI.purpose
    assert entry["facts"]["in_force_on"] == f"{STORED.in_force_on} → {COUNTED.in_force_on}"
    assert entry["facts"]["calendar"] == COUNTED.calendar_version
    assert subjects == ["fines.v1.redated"]
    due = await work_of(database, number)
    assert due == {
        "come_into_force": start_of(COUNTED.in_force_on),
        "tell_discount_ended": start_of(COUNTED.discount_until + timedelta(days=1)),
    }
    again = (await desk.run())[number]
    assert again.after is again.before and await desk.fine(number) == fine
    assert len((await facts_of(database, number))[0]) == 1


async def test_a_dry_run_tells_the_same_and_changes_nothing(desk: Desk, database: Any) -> None:
    number = await desk.add()
    before = await desk.fine(number), await work_of(database, number)
    told = (await desk.run(dry_run=True))[number]
    assert told.after.dates == COUNTED
    assert (await desk.fine(number), await work_of(database, number)) == before
    assert await facts_of(database, number) == ([], [])


async def test_dates_never_move_against_the_owner(desk: Desk) -> None:
    """Dates by a calendar with fewer days off than the one that was used."""
    number = await desk.add()
    shorter = RIGHT.years[2027].days_off - {date(2027, 3, 15), date(2027, 3, 22)}
    calendar = Calendar({**RIGHT.years, 2027: CalendarYear(shorter, frozenset(), "shorter.1")})
    told = (await desk.run(calendar=calendar))[number]
    assert told.after is told.before
    assert (await desk.fine(number)).dates == STORED


async def test_what_fell_due_too_early_is_taken_back_and_comes_again(
    desk: Desk, database: Any
) -> None:
    in_force, overdue = await desk.add(State.IN_FORCE), await desk.add(State.OVERDUE)
    done = "UPDATE work SET done_at = $2, attempts = 1 WHERE key = $1"
    await database.execute(done, in_force, start_of(STORED.in_force_on))
    desk.now = start_of(COUNTED.in_force_on) - timedelta(hours=1)
    await desk.run()
    assert (await desk.fine(in_force)).state is State.DELIVERED
    assert (await work_of(database, in_force))["come_into_force"] == start_of(COUNTED.in_force_on)
    assert (await desk.fine(overdue)).state is State.DELIVERED
    late = await desk.add(State.OVERDUE)
    desk.now = start_of(COUNTED.voluntary_until + timedelta(days=1)) - timedelta(hours=1)
    await desk.run()
    assert (await desk.fine(late)).state is State.IN_FORCE
    due = await work_of(database, late)
    assert due["fall_overdue"] == start_of(COUNTED.voluntary_until + timedelta(days=1))


async def test_two_runs_at_once_change_a_fine_once(desk: Desk, database: Any) -> None:
    numbers = [await desk.add() for _ in range(5)]
    await asyncio.gather(*(desk.run() for _ in range(3)))
    for number in numbers:
        audited, subjects = await facts_of(database, number)
        assert (len(audited), subjects) == (1, ["fines.v1.redated"])


async def test_a_fine_of_a_year_without_table_is_named_and_holds_nobody_up(desk: Desk) -> None:
    first, second = await desk.add(), await desk.add()
    only_2026 = Calendar({2026: RIGHT.years[2026]})
    told = await desk.run(calendar=only_2026)
    assert {told[number].refusal for number in (first, second)} == {"TABLE_YEAR_MISSING"}
    assert (await desk.fine(first)).dates == STORED


async def test_paid_and_cancelled_fines_are_left_alone(desk: Desk, database: Any) -> None:
    number = await desk.add()
    async with desk._db.begin(SYSTEM) as tx:
        fine = await fines.get_for_update(tx, number)
        await cancel_in(tx, fine, desk.now, ANNULLED)
    assert number not in await desk.run()


async def test_the_command_line_alone_may_reckon_anew(as_: Any, operator: Any, kaspi: Any) -> None:
    for stranger in (operator("supervisor-almaty"), kaspi, as_("violations")):
        with pytest.raises(Refusal) as refused:
            await _stream(stranger, pb.RedateFinesRequest(dry_run=True))
        assert refused.value.reason == "NOT_ALLOWED"
    caller = as_("tartip-cli")
    told = await _stream(caller, pb.RedateFinesRequest(dry_run=True))
    assert [one.number for one in told] == sorted(one.number for one in told)
    assert [one.resume_token for one in told] == [one.number for one in told]
    if len(told) > 1:
        rest = await _stream(
            caller, pb.RedateFinesRequest(dry_run=True, resume_token=told[0].resume_token)
        )
        assert [one.number for one in rest] == [one.number for one in told[1:]]
    with pytest.raises(Refusal) as refused:
        await _stream(caller, pb.RedateFinesRequest(resume_token="x"))
    assert refused.value.reason == "PAGE_TOKEN_WRONG"


async def _stream(caller: Any, request: pb.RedateFinesRequest) -> list[pb.RedateFinesResponse]:
    stub = fines_pb2_grpc.FinesStub(caller.channels.to(caller.address, "fines"))
    call: Any = stub.RedateFines(request, metadata=caller.metadata)
    return [told async for told in refusals_of(call)]
