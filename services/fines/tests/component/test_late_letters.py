"""The term for sending a prescription ends with its sending, not with its writing."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from .bench import Bench


async def confirmed(bench: Bench, plate: str) -> str:
    """An offence of this moment."""
    return await bench.confirmed(bench.violation(plate, at=bench.clock()))


async def test_a_letter_that_could_not_go_in_time_does_not_go(
    bench: Bench, plate: str, database: Any
) -> None:
    number = await confirmed(bench, plate)
    bench.clock.now += timedelta(days=10)
    await bench.issuing.issue(number)
    assert await bench.state(number) == "issued"
    bench.clock.now += timedelta(days=1)  # the post was away over midnight
    await bench.issuing.deliver(number)
    assert await bench.state(number) == "cancelled"
    assert not list(bench.letters.iterdir())
    held = await database.fetchval(
        "SELECT sum(CASE WHEN debit_account LIKE 'receivable:%' THEN amount_minor"
        " ELSE -amount_minor END) FROM entries WHERE number = $1",
        number,
    )
    assert held == 0


async def test_a_letter_that_goes_on_the_last_day_is_in_time(bench: Bench, plate: str) -> None:
    number = await confirmed(bench, plate)
    bench.clock.now += timedelta(days=10)
    await bench.issuing.issue(number)
    await bench.issuing.deliver(number)
    assert await bench.state(number) == "delivered"
    assert [path.name for path in bench.letters.iterdir()] == [f"{number}.html"]


async def test_midnight_that_passes_while_peers_are_asked_holds_the_fine(
    bench: Bench, plate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await confirmed(bench, plate)
    bench.clock.now += timedelta(days=10)
    ask = bench.register.registrations

    async def slowly(plate: str, at: datetime) -> Any:
        bench.clock.now += timedelta(days=1)
        return await ask(plate, at)

    monkeypatch.setattr(bench.register, "registrations", slowly)
    await bench.issuing.issue(number)
    held = await bench.fine(number)
    assert (held.state.value, held.hold_reason) == ("awaiting", "SENT_TOO_LATE")
