"""The kit passes the reference adapter, and names what is wrong with wrong ones."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tartip_partner_contract.reference import ReferenceAdapter, serve
from tartip_partner_contract.run import Outcome, outcomes
from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.scenarios import SCENARIOS, handing_in, webhooks

from .wrong_adapters import WRONG, OpensAndSubmits

WAIT_SECONDS = 20.0
COMMAND = Path(sys.executable).with_name("tartip-partner-contract")


@contextmanager
def served(adapter: ReferenceAdapter) -> Iterator[str]:
    server = serve(adapter)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        adapter.close()


async def tried(
    adapter: ReferenceAdapter, scenarios: Sequence[Scenario] = SCENARIOS
) -> list[Outcome]:
    with served(adapter) as url:
        return [one async for one in outcomes(url, scenarios, wait_seconds=WAIT_SECONDS)]


def scenarios_for(name: str) -> list[Scenario]:
    """Of webhooks, or all others: an adapter that is wrong in the one is right in the other."""
    of_webhooks = {scenario.name for scenario in webhooks.SCENARIOS}
    is_of_webhooks = name in of_webhooks
    return [one for one in SCENARIOS if (one.name in of_webhooks) == is_of_webhooks]


@pytest.fixture(scope="module")
def found() -> dict[str, list[Outcome]]:
    """The outcomes of every wrong adapter, which are tried side by side: most of it is waiting."""

    async def all_of_them() -> list[list[Outcome]]:
        tries = (tried(adapter(), scenarios_for(name)) for name, adapter in WRONG.items())
        return await asyncio.gather(*tries)

    return dict(zip(WRONG, asyncio.run(all_of_them()), strict=True))


def test_the_kit_passes_an_adapter_on_the_python_client() -> None:
    wrong = {one.scenario.name: one.wrong for one in asyncio.run(tried(ReferenceAdapter()))}
    assert wrong == dict.fromkeys(scenario.name for scenario in SCENARIOS)


def test_reports_may_be_handed_in_by_two_calls() -> None:
    outcomes = asyncio.run(tried(OpensAndSubmits(), handing_in.SCENARIOS))
    assert [one.wrong for one in outcomes] == [None] * len(handing_in.SCENARIOS)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_adapter_fails_by_the_name_of_what_is_wrong(
    name: str, found: dict[str, list[Outcome]]
) -> None:
    assert {one.scenario.name: one.wrong for one in found[name] if not one.passed}.keys() == {name}


def test_scenarios_have_names_of_their_own_and_say_what_to_do() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    for scenario in SCENARIOS:
        assert scenario.about.endswith(".") and scenario.remedy.endswith(".")


def test_the_command_prints_json_and_exits_0_for_an_adapter_that_is_right() -> None:
    with served(ReferenceAdapter()) as url:
        done = run(url, "--only", "handed-in", "--only", "lost-answer", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] and [one["name"] for one in told["scenarios"]] == [
        "handed-in",
        "lost-answer",
    ]


def test_the_command_names_the_fault_and_what_to_do_and_exits_12() -> None:
    with served(WRONG["overload"]()) as url:
        done = run(url, "--only", "overload")
    assert done.returncode == 12
    assert "failed overload" in done.stdout
    assert "wrong: " in done.stdout and "RetryInfo" in done.stdout and "do: " in done.stdout


def test_the_command_exits_9_where_no_adapter_answers_and_2_for_an_unknown_scenario() -> None:
    assert run("http://127.0.0.1:9", "--only", "handed-in").returncode == 9
    assert run("http://127.0.0.1:9", "--only", "nothing").returncode == 2
    assert run("127.0.0.1:9").returncode == 2


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60)
