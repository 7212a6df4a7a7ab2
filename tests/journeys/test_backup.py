"""A mesh is lost and restored from its backup, by the runbook: its numbers answer as before, who
was erased since stays erased, its logs fit, and it goes on.

The commands are those of docs/runbooks.md, with its places replaced by the test's.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from host.key_destruction import destroy_recorded
from tartip_cli.clients.partner import Outside
from tartip_cli.failures import Exit
from tartip_cli.ports import free_base
from tartip_cli.settings import find_checkout, inherited_environment
from tartip_testing.mesh import RunningTestMesh, running_mesh_in, wait_until
from vault.keyring import Keyring

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]
RUNBOOKS = find_checkout() / "docs" / "runbooks.md"
PURPOSE = "a restored record is held against the lost one"
KEYS_OF_REPORT = (
    "SELECT contents.key_id, reporters.key_id FROM citizen_reports.reports"
    " JOIN citizen_reports.contents USING (report_id)"
    " JOIN citizen_reports.reporters USING (report_id) WHERE number = $1"
)


@dataclass(frozen=True)
class Lost:
    """What the lost mesh answered, and the restored mesh."""

    answers: dict[str, Any]
    numbers: dict[str, Any]
    erased_report: str
    mesh: RunningTestMesh


def commands(title: str) -> list[list[str]]:
    """The lines of the code block below a heading of the runbooks, without their comments."""
    found = re.search(rf"^### {title}$.*?```\n(.*?)```", RUNBOOKS.read_text(), re.M | re.S)
    assert found, title
    return [shlex.split(line, comments=True) for line in found[1].splitlines()]


def follow(line: list[str], home: Path, places: Path) -> str:
    program, *arguments = line
    assert program == ".venv/bin/tartip"
    moved = [re.sub("^/(backup|safe)", str(places), each) for each in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "tartip_cli", *moved],
        env={
            **inherited_environment(),
            "TARTIP_HOME": str(home),
            "TARTIP_PORT_BASE": str(free_base().base),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == Exit.OK, f"{line}: {done.stderr}{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def lost(
    mesh: RunningTestMesh, sample_cameras: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lost]:
    places, lists = tmp_path_factory.mktemp("places"), Path(f"{mesh.home.path}-erasures")
    mesh.wait_ready()
    demo = [".venv/bin/tartip", "demo", "--json"]
    kept, erased = (json.loads(follow(demo, mesh.home.path, places)) for _ in range(2))
    answers = asyncio.run(answers_of(mesh, kept))
    for line in commands("Make a backup"):
        follow(line, mesh.home.path, places)
    asyncio.run(erase(mesh, erased["report"]))
    wait_until(lambda: lines_of(lists / "citizen-reports.jsonl") >= 2, seconds=20)
    home = places / "lost"
    shutil.copytree(lists, places / "lost-erasures")  # they lie elsewhere and were not lost
    restoring, starting = commands("Restore a backup")[:-1], commands("Restore a backup")[-1]
    for line in restoring:
        follow(line, home, places)
    assert starting == [".venv/bin/tartip", "up"]
    for restored in running_mesh_in(home, without=()):
        yield Lost(answers, kept, erased["report"], restored)


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


async def erase(mesh: RunningTestMesh, report: str) -> None:
    """Destroy the keys of a report and of the person who made it."""
    connection = await asyncpg.connect(mesh.database.url)
    keys = await connection.fetchrow(KEYS_OF_REPORT, report)
    await connection.close()
    url = mesh.database.work_url("citizen_reports")
    keyring = Keyring(mesh.home.keys / "citizen-reports")
    db = Database(url, service="citizen-reports", keyring=keyring, clock=system_clock)
    try:
        async with db.begin(SYSTEM) as tx:
            for key_id in keys:
                await destroy_recorded(tx, key_id)
    finally:
        await db.close()


async def answers_of(mesh: RunningTestMesh, numbers: dict[str, Any]) -> dict[str, Any]:
    outside = Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer)
    async with outside as people:
        supervisor = people.as_operator("supervisor-almaty")
        found = {
            number: (await supervisor.get(f"/v1/fines/{number}", purpose=PURPOSE)).body
            for number in (numbers["fine"], numbers["open_fine"])
        }
        finance = people.as_operator("finance-1")
        found["entries"] = (await finance.get(f"/v1/fines/{numbers['fine']}/entries")).body
        found["report"] = await report_of(people, numbers["report"])
        for violation_id in numbers["violations"]:
            inspector = people.as_operator("inspector-almaty")
            path = f"/v1/violations/{violation_id}"
            found[path] = (await inspector.get(path, purpose=PURPOSE)).body
        return found


async def report_of(people: Outside, number: str) -> Any:
    dispatcher = people.as_operator("dispatcher-almaty")
    return (await dispatcher.get(f"/v1/reports/by-number/{number}", purpose=PURPOSE)).body["report"]


async def test_the_numbers_of_both_journeys_answer_as_before(lost: Lost) -> None:
    assert await answers_of(lost.mesh, lost.numbers) == lost.answers


async def test_who_was_erased_after_the_backup_is_unreadable(lost: Lost) -> None:
    mesh = lost.mesh
    async with Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer) as people:
        erased = await report_of(people, lost.erased_report)
        other = await report_of(people, lost.numbers["report"])
    assert other["text"] and other["reporter"]["name"]
    assert erased["text"] == "" and not (erased["reporter"] or {}).get("name")


def test_the_audit_logs_fit_and_name_the_erasure(lost: Lost) -> None:
    told = json.loads(again(lost.mesh, "verify", "--json"))
    assert told["fits"] and all(log["entries"] for log in told["logs"])


def test_both_journeys_are_walked_on_the_restored_mesh(lost: Lost) -> None:
    told = json.loads(again(lost.mesh, "demo", "--json"))
    assert told["fine"] not in lost.numbers.values()


def again(mesh: RunningTestMesh, *arguments: str) -> str:
    line = [".venv/bin/tartip", *arguments]
    return follow(line, mesh.home.path, mesh.home.path)
