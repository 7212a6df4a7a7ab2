"""Plays scenarios one after the other, each on a Tartip of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from tartip_partner_contract.adapter import Adapter
from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.stage import staged
from tartip_partner_contract.wrong import Wrong


@dataclass(frozen=True)
class Outcome:
    """How a scenario ended: `wrong` is None where it passed, else what is wrong."""

    scenario: Scenario
    wrong: str | None
    seconds: float

    @property
    def passed(self) -> bool:
        return self.wrong is None

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.scenario.name,
            "passed": self.passed,
            "wrong": self.wrong,
            "remedy": None if self.passed else self.scenario.remedy,
            "seconds": round(self.seconds, 2),
        }


async def outcomes(
    url: str, scenarios: Sequence[Scenario], *, wait_seconds: float
) -> AsyncIterator[Outcome]:
    """The outcome of each scenario, as soon as it is known. Raises AdapterAway."""
    adapter = Adapter(url, wait_seconds=wait_seconds)
    try:
        for scenario in scenarios:
            yield await _outcome(adapter, scenario, wait_seconds)
    finally:
        await adapter.close()


async def _outcome(adapter: Adapter, scenario: Scenario, wait_seconds: float) -> Outcome:
    began = time.monotonic()
    wrong = None
    async with staged(adapter, wait_seconds=wait_seconds) as stage:
        try:
            await scenario.play(stage)
        except Wrong as found:
            wrong = str(found)
    return Outcome(scenario, wrong, time.monotonic() - began)
