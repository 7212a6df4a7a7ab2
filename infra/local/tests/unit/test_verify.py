"""What `tartip verify` prints."""

import io
from typing import Any

import pytest
import typer
from rich.console import Console
from tartip_cli.cli import verify as command
from tartip_cli.cli.verify import Finding


def test_what_is_wrong_is_readable_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [
        "fine:641211205562125: its fields are not those that entry 20 decided",
        "the log does not begin with the 23 entries of which fines.2026-11.jsonl [x] has the head",
    ]

    async def found(*_: Any) -> tuple[list[Finding], None]:
        return [Finding("camera-registry", entries=3), Finding("fines", 287, wrong=wrong)], None

    shown = io.StringIO()
    monkeypatch.setattr(command, "console", Console(file=shown, width=80))
    monkeypatch.setattr(command, "_verify", found)
    with pytest.raises(typer.Exit):
        command.verify()
    lines = shown.getvalue().splitlines()
    assert lines[-2:] == [f"fines: {each}" for each in wrong]
    assert any("2 wrong" in line for line in lines)
