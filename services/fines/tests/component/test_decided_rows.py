"""A row that is doubled, deleted or put back behind the service's back is named."""

from typing import Any

from law.zone import almaty_day

from .bench import Bench
from .test_decided import Found, differences, paid

__all__ = ("differences",)
UNIQUE = {
    "number": "number",
    "entry_id": "entry_id",
    "partner_bank_reference": "partner, bank_reference",
}


async def test_a_doubled_payment_is_found_by_its_hash_and_by_the_ledger(
    bench: Bench, plate: str, differences: Found, database: Any
) -> None:
    number = await paid(bench, plate)
    before = await differences()
    async with database.transaction():
        for key in UNIQUE:
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
    for key, columns in UNIQUE.items():
        await database.execute(
            f"ALTER TABLE payments ADD CONSTRAINT payments_{key}_key UNIQUE ({columns})"
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
