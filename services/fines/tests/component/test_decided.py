"""Whatever is changed behind the service's back is named, with the entry that decided otherwise."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.identity import Caller, Operator
from fines.model.refusals import FineAlreadyCancelled
from fines.storage.records import SOURCES
from host.scheduler import WaitUntilDue
from law.zone import almaty_day
from tartip_testing.audit import record_differences
from tartip_testing.mesh import RunningTestMesh

from .bench import Bench

SUPERVISOR = Caller(
    "service",
    "operator-gateway",
    Operator("supervisor-1", frozenset({"supervisor"}), ("*",)),
    "test",
)
Found = Callable[[], Awaitable[set[str]]]


@pytest.fixture
def differences(bench: Bench, engines: RunningTestMesh) -> Found:
    """What is wrong with the records now, beside what other tests have left behind."""

    async def found() -> set[str]:
        url = engines.database.seal_url("fines")
        return await record_differences(bench.db, url, "fines", SOURCES)

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
        await bench.desk.cancel(number, cancellation_id=new_id(), reason="again", caller=SUPERVISOR)
    held = await bench.confirmed(bench.violation("000XXX02"))
    with pytest.raises(WaitUntilDue):
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
    await database.execute(f"UPDATE {table} SET {assignment} WHERE number = $1{posted}", number)
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
