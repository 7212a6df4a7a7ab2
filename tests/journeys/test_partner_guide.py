"""The guide for partners, followed to the letter: its program, run with nothing but `proto/`."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tartip_cli.clients.journeys import wait_for
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh
ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "partners.md"


async def test_the_guides_program_pays_once_and_hands_a_report_in(
    new_frame: Any, mesh: RunningTestMesh, tmp_path: Path
) -> None:
    journey, vehicle = new_frame()
    result = await journey.send_frame()
    found = await wait_for("the violation", lambda: journey.find_in_queue(result.evidence_sha256))
    violation_id = found.body["violation_id"]
    await journey.decide(violation_id)
    await wait_for("the fine", lambda: journey.find_fine(violation_id))

    program = tmp_path / "partner.py"
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (code,) = [block for block in blocks if block.startswith("# python partner.py")]
    program.write_text(code)
    protos = [str(path) for path in sorted((ROOT / "proto").rglob("*.proto"))]
    stubs = [f"-I{ROOT / 'proto'}", f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    await run([sys.executable, "-m", "grpc_tools.protoc", *stubs, *protos], tmp_path)

    bank = mesh.certificates.partner("halyk")
    told = await run(
        [
            sys.executable,
            str(program),
            mesh.address("fines"),
            mesh.address("citizen-reports"),
            str(mesh.certificates.authority),
            str(bank.certificate),
            str(bank.key),
            vehicle.owner.number,
        ],
        tmp_path,
    )
    assert "paid once: entry" in told
    assert "what became of it: PAYMENT_STATE_POSTED" in told
    assert "other content under the same id: ID_REUSED" in told
    assert re.search(r"report KZ75-\d{4}-\d{7}, an answer is due by", told)
    assert "now: REPORT_STATUS_ROUTED" in told


async def run(command: list[str], folder: Path) -> str:
    """What it printed; it must end well within a minute."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    told, failed = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, failed.decode()
    return told.decode()
