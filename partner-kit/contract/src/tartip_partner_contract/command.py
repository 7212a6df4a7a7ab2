"""`tartip-partner-contract URL`: tries an adapter and says by name where it is not safe."""

from __future__ import annotations

import asyncio
import json
import sys
from enum import IntEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from tartip_partner_contract.adapter import AdapterAway
from tartip_partner_contract.run import Outcome, outcomes
from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.scenarios import SCENARIOS

_console = Console(highlight=False)
_errors = Console(stderr=True, highlight=False)


class Exit(IntEnum):
    """Exit codes, with the meaning that they have for `tartip`."""

    OK = 0
    USAGE = 2
    NOT_RUNNING = 9
    FINDINGS = 12


_EXIT_CODES_HELP = """Exit codes: 0 all scenarios passed; 1 unexpected error; 2 wrong usage; 9 no
adapter answers at URL; 12 the adapter failed a scenario."""
_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@_app.command(epilog=_EXIT_CODES_HELP)
def contract(
    url: Annotated[str, typer.Argument(help="Where the adapter's five verbs answer.")] = "",
    only: Annotated[
        list[str], typer.Option("--only", help="One scenario by name; may be repeated.")
    ] = [],  # noqa: B006 (Typer's way to say "none")
    names: Annotated[bool, typer.Option("--list", help="List the scenarios, try none.")] = False,
    wait_seconds: Annotated[
        float, typer.Option(min=1.0, help="How long an answer of the adapter is waited for.")
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Play Tartip for the adapter at URL: lose answers, cut connections and refuse calls.

    Each scenario that fails is named, with what is wrong and what to do.
    """
    if names:
        _list(as_json=as_json)
        return
    chosen = _chosen(url, only)
    try:
        found = asyncio.run(_play(url, chosen, wait_seconds, as_json=as_json))
    except AdapterAway as away:
        _errors.print(f"nothing answers at {url}: {away}", style="red", markup=False)
        raise typer.Exit(Exit.NOT_RUNNING) from away
    passed = all(outcome.passed for outcome in found)
    if as_json:
        _print_json(
            {"adapter": url, "passed": passed, "scenarios": [one.as_json() for one in found]}
        )
    if not passed:
        raise typer.Exit(Exit.FINDINGS)


def main() -> None:
    """Run the command that is named in the arguments of this process."""
    _app()


def _chosen(url: str, only: list[str]) -> list[Scenario]:
    known = [scenario.name for scenario in SCENARIOS]
    if unknown := [name for name in only if name not in known]:
        raise typer.BadParameter(f"there is no scenario {unknown[0]}; there are {', '.join(known)}")
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter("URL must be the http address of the adapter")
    return [scenario for scenario in SCENARIOS if scenario.name in only or not only]


async def _play(
    url: str, chosen: list[Scenario], wait_seconds: float, *, as_json: bool
) -> list[Outcome]:
    found = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(*columns, console=_errors, transient=True) as progress:
        task = progress.add_task(chosen[0].name, total=len(chosen))
        async for outcome in outcomes(url, chosen, wait_seconds=wait_seconds):
            found.append(outcome)
            if not as_json:
                _print(outcome)
            following = chosen[len(found)].name if len(found) < len(chosen) else ""
            progress.update(task, advance=1, description=following)
    return found


def _print(outcome: Outcome) -> None:
    scenario = outcome.scenario
    if outcome.passed:
        _console.print(f"[green]passed[/] {scenario.name} ({outcome.seconds:.1f} s)")
        return
    _console.print(f"[red]failed[/] {scenario.name} ({outcome.seconds:.1f} s)")
    for heading, text in (
        ("tried", scenario.about),
        ("wrong", f"{outcome.wrong}."),
        ("do", scenario.remedy),
    ):
        _console.print(f"  {heading}: {text}", markup=False, soft_wrap=True)


def _list(*, as_json: bool) -> None:
    for scenario in SCENARIOS:
        if as_json:
            told = {"name": scenario.name, "about": scenario.about, "remedy": scenario.remedy}
            _print_json(told)
        else:
            _console.print(f"{scenario.name}: {scenario.about}", markup=False, soft_wrap=True)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
