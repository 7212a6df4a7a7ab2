"""Whatever is changed behind the service's back is named, with the entry that decided otherwise."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.identity import Caller, Operator
from fines.model.refusals import FineAlreadyCancelled
from fines.storage.records import SOURCES
from law.zone import almaty_day
from tartip_testing.audit import record_differences

from .bench import Bench

SUPERVISOR = Caller(
    "service",
    "operator-gateway",
    Operator("supervisor-1", frozenset({"supervisor"}), ("*",)),
    "test",
)
Found = Callable[[], Awaitable[set[str]]]


@pytest.fixture
def differences(bench: Bench) -> Found:
    """What is wrong with the records now, beside what other tests have left behind."""

    async def found() -> set[str]:
        return await record_differences(bench.db, "fines", SOURCES)

    return found


async def paid(bench: Bench, plate: str) -> str:
    fine = await bench.delivered(plate)
    day = almaty_day(bench.clock.now)
    await bench.pay(fine.number, fine.amount.discounted_minor, day)
    return str(fine.number)


async def test_every_way_of_a_fine_leaves_records_that_are_as_decided(
    bench: Bench, plate: str, vehicles: Any, differences: Found
) -> None:
    before = await differences()
    number = await paid(bench, plate)
    await bench.desk.cancel(
        number, cancellation_id=new_id(), reason="a plate misread", caller=SUPERVISOR
    )
    with pytest.raises(FineAlreadyCancelled):
        await bench.desk.cancel(
            number, cancellation_id=new_id(), reason="again", caller=SUPERVISOR
        )
    held = await bench.confirmed(bench.violation("000XXX02"))
    await bench.issuing.issue(held)
    fine = await bench.issued(bench.violation(plate, at=bench.clock() - timedelta(days=2)))
    await bench.annul(fine.violation_id)
    assert await differences() == before


CHANGES = {
    "discount": ("fines", "discount_until = discount_until + 30", ""),
    "amount": ("fines", "discounted_minor = discounted_minor - 100", ""),
    "moment": ("fines", "occurred_at = occurred_at - interval '1 hour'", ""),
    "offence": ("fines", "offence_code = 'RED_LIGHT'", ""),
    "owner": ("fines", "owner_index = '\\x00'::bytea", ""),
    "reference": ("payments", "bank_reference = 'RRN0'", " (payment)"),
    "value date": ("payments", "value_date = value_date - 1", " (payment)"),
    "account": ("entries", "credit_account = 'treasury:KZ-10'", " (ledger)"),
    "other entry": ("fines", "audit_entry = gen_random_uuid()", ""),
    "no entry": ("fines", "audit_entry = NULL", ""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_change_behind_the_services_back_is_named(
    bench: Bench,
    plate: str,
    differences: Found,
    database: Any,
    change: tuple[str, str, str],
) -> None:
    table, assignment, kind = change
    number = await paid(bench, plate)
    before = await differences()
    kept = await database.fetch(f"SELECT * FROM {table} WHERE number = $1", number)
    posted = " AND kind = 'issue'" if table == "entries" else ""
    await database.execute(
        f"UPDATE {table} SET {assignment} WHERE number = $1{posted}", number
    )
    [found] = {line for line in await differences() - before if "ledger, " not in line}
    assert found.startswith(f"fine:{number}{kind}: ")
    column = assignment.partition(" ")[0]
    for row in kept:
        key = "entry_id" if table == "entries" else "audit_hash"
        await database.execute(
            f"UPDATE {table} SET {column} = $1 WHERE number = $2 AND {key} = $3",
            row[column],
            number,
            row[key],
        )
    assert await differences() == before


async def test_a_doubled_payment_is_found_by_its_hash_and_by_the_ledger(
    bench: Bench, plate: str, differences: Found, database: Any
) -> None:
    number = await paid(bench, plate)
    before = await differences()
    async with database.transaction():
        for key in ("number", "entry_id", "partner_bank_reference"):
            await database.execute(f"ALTER TABLE payments DROP CONSTRAINT payments_{key}_key")
        await database.execute(
            "INSERT INTO payments SELECT partner, gen_random_uuid(), number, region, amount_minor,"
            " bank_reference, value_date, posted_at, entry_id, audit_entry, audit_hash"
            " FROM payments WHERE number = $1",
            number,
        )
    found = await differences() - before
    await database.execute(
        "DELETE FROM payments WHERE number = $1 AND payment_id <>"
        " (SELECT min(payment_id::text)::uuid FROM payments WHERE number = $1)",
        number,
    )
    texts = sorted(line.removeprefix(f"fine:{number} ") for line in found)
    assert any(line.startswith("(ledger): paid: ") for line in texts), texts
    assert "(payment): there is more than one" in texts
    assert any("(payment): its fields are not those" in line for line in texts), texts


async def test_an_older_fine_from_a_backup_is_found(
    bench: Bench, plate: str, differences: Found, database: Any
) -> None:
    fine = await bench.delivered(plate)
    old = await database.fetchrow("SELECT * FROM fines WHERE number = $1", fine.number)
    await bench.pay(fine.number, fine.amount.discounted_minor, almaty_day(bench.clock.now))
    before = await differences()
    names = ("state", "version", "audit_entry", "audit_hash")
    new = await database.fetchrow("SELECT * FROM fines WHERE number = $1", fine.number)
    await put(database, fine.number, {name: old[name] for name in names})
    found = await differences() - before
    await put(database, fine.number, {name: new[name] for name in names})
    assert any(line.startswith(f"fine:{fine.number}: it is as entry ") for line in found)


async def test_a_fine_that_is_gone_is_found(
    bench: Bench, plate: str, differences: Found, database: Any
) -> None:
    number = await bench.confirmed(bench.violation(plate))
    before = await differences()
    await database.execute("DELETE FROM fines WHERE number = $1", number)
    [found] = await differences() - before
    assert found.startswith(f"fine:{number}: entry ") and found.endswith("and it is gone")


async def put(database: Any, number: str, values: dict[str, Any]) -> None:
    """Past the deferred check that ledger and state agree."""
    async with database.transaction():
        await database.execute("SET LOCAL session_replication_role = replica")
        for name, value in values.items():
            await database.execute(f"UPDATE fines SET {name} = $1 WHERE number = $2", value, number)
