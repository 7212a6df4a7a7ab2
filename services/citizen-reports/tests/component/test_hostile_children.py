"""The child process that examines a file may have been taken over by the file: whatever it writes,
the file is refused, and the service goes on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from citizen_reports.examination import process
from citizen_reports.examination.child import READY
from citizen_reports.examination.process import OUTPUT_PIECE, ExaminationFailed, Examiner
from citizen_reports.examination.verdict import Verdict
from citizen_reports.model.findings import Finding, Taken

CLEAN = bytes(range(256)) * (3 * OUTPUT_PIECE // 256)


async def pieces() -> AsyncIterator[bytes]:
    yield b"a file"


def writes(monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes) -> None:
    """Let the child process write this, and wait."""
    (folder / "content").write_bytes(READY + content)
    program = (
        "import shutil, sys, time;"
        f"shutil.copyfileobj(open({str(folder / 'content')!r}, 'rb'), sys.stdout.buffer);"
        "sys.stdout.flush(); time.sleep(60)"
    )
    monkeypatch.setattr(process, "_COMMAND", (sys.executable, "-c", program))


@pytest.mark.parametrize(
    "content", [b"[" * 1000 + b"\n", b"x" * (2 * OUTPUT_PIECE)], ids=["nested", "endless"]
)
async def test_a_line_that_is_no_verdict_refuses_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    writes(monkeypatch, tmp_path, content)
    async with Examiner().examine(pieces()) as examined:
        assert (examined.finding, examined.reason) == (None, "MEDIA_BEYOND_LIMITS")


async def test_a_machine_without_room_for_a_process_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_COMMAND", ("/nowhere/python",))
    with pytest.raises(ExaminationFailed):
        async with Examiner().examine(pieces()):
            pass


async def test_who_takes_the_clean_form_may_take_its_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = Verdict(Finding("image/jpeg", "image/jpeg", Taken()), "", len(CLEAN), True)
    writes(monkeypatch, tmp_path, found.line() + CLEAN)
    monkeypatch.setattr(process, "WALL_SECONDS", 3)
    read = b""
    async with Examiner().examine(pieces()) as examined:
        async for piece in examined.clean:
            read += piece
            await asyncio.sleep(1.5)
    assert read == CLEAN
