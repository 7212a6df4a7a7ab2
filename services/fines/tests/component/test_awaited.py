"""`tartip verify` names a fine whose next step was deleted."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from audit_log.work_checks import awaited_check
from chassis.transaction import SYSTEM
from fines.storage.awaited import AWAITED

from .bench import Bench

Way = Callable[[Bench, str], Coroutine[Any, Any, str]]


async def to_awaiting(bench: Bench, plate: str) -> str:
    return await bench.confirmed(bench.violation(plate))


async def to_issued(bench: Bench, plate: str) -> str:
    return str((await bench.issued(bench.violation(plate))).number)


async def to_delivered(bench: Bench, plate: str) -> str:
    return str((await bench.delivered(plate)).number)


async def to_in_force(bench: Bench, plate: str) -> str:
    fine = await bench.delivered(plate)
    bench.turn_to(fine.dates.in_force_on)
    await bench.issuing.come_into_force(fine.number)
    return str(fine.number)


WAYS: dict[str, Way] = {
    "issue": to_awaiting,
    "deliver": to_issued,
    "come_into_force": to_delivered,
    "fall_overdue": to_in_force,
}


async def missing(bench: Bench, number: str) -> list[str]:
    async with bench.db.begin(SYSTEM) as tx:
        faults = (await awaited_check(AWAITED)(tx, "", 1000)).faults
    return [fault.record for fault in faults if number in fault.record]


@pytest.mark.parametrize("kind", WAYS)
async def test_a_fine_is_named_whose_step_was_deleted(
    kind: str, bench: Bench, plate: str, database: Any
) -> None:
    number = await WAYS[kind](bench, plate)
    assert await missing(bench, number) == []
    await database.execute("DELETE FROM work WHERE kind = $1 AND key = $2", kind, number)
    assert await missing(bench, number) == [f"work:{kind}:{number}"]


def test_each_step_that_changes_a_fine_is_awaited(bench: Bench) -> None:
    # Notices and older evidence leave nothing in the fine.
    others = {"tell_discount_ended", "tell_cancelled", "record_evidence"}
    assert set(bench.issuing.work()) - others == set(AWAITED) == set(WAYS)


async def test_a_fine_that_waits_for_a_person_awaits_no_step(
    bench: Bench, plate: str, database: Any
) -> None:
    number = await to_awaiting(bench, plate)
    await database.execute("DELETE FROM work WHERE key = $1", number)
    held = "UPDATE fines SET hold_reason = $2 WHERE number = $1"
    await database.execute(held, number, "OWNER_ERASED")
    assert await missing(bench, number) == []
    await database.execute(held, number, "REGISTER_AWAY")
    assert await missing(bench, number) == [f"work:issue:{number}"]
