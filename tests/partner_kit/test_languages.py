"""The commands of `partner-kit/README.md` for other languages, run to the letter.

TypeScript runs everywhere, for Node comes as a package. Java and Go run where their generators are
on the PATH.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tartip_partner_contract.authority import Authority
from tartip_partner_contract.tartip import PlayedTartip

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "partner-kit" / "README.md").read_text()
WAIT_SECONDS = 240


def blocks(language: str, fence: str) -> list[str]:
    """The blocks of code in the section of a language."""
    section = PAGE.split(f"\n## {language}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{fence}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    return tmp_path


def run(script: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_typescript_hands_a_report_in(folder: Path) -> None:
    stubs, compiled = blocks("TypeScript", "sh")
    (program,) = blocks("TypeScript", "typescript")
    (folder / "report.ts").write_text(program)
    await asyncio.to_thread(run, stubs, folder)
    await asyncio.to_thread(run, compiled, folder)

    authority = Authority()
    tartip = PlayedTartip(authority)
    address, pair = await tartip.start(), authority.partner()
    files = {"ca.pem": authority.certificate, "own.pem": pair.certificate, "own.key": pair.key}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        called = f"node built/report.js {address} {' '.join(files)}"
        told = await asyncio.to_thread(run, called, folder)
    finally:
        await tartip.stop()
    (held,) = tartip.book.submitted
    assert told == f"report {held.report.receipt.number}\n"
    assert all(call.deadline_seconds for call in tartip.calls)


@pytest.mark.parametrize(
    ("language", "plugins", "made"),
    [
        (
            "Java",
            ["protoc", "protoc-gen-grpc-java"],
            "stubs/tartip/reports/v1/CitizenReportsGrpc.java",
        ),
        ("Go", ["protoc-gen-go", "protoc-gen-go-grpc"], "stubs/tartip/reports/v1/reports.pb.go"),
    ],
)
def test_stubs_are_made(language: str, plugins: list[str], made: str, folder: Path) -> None:
    if missing := [plugin for plugin in plugins if not shutil.which(plugin)]:
        pytest.skip(f"{', '.join(missing)} not on the PATH")
    (script,) = blocks(language, "sh")
    run(script, folder)
    assert (folder / made).exists()
