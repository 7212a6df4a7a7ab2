"""`tartip` loads the module of the command that was called alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tartip_cli.main import _MODULES, _register, new_tartip, whole_app
from typer.main import get_command


@pytest.mark.parametrize("module", _MODULES)
def test_a_module_registers_the_commands_that_are_named_with_it(module: str) -> None:
    app = new_tartip()
    _register(app, module)
    assert set(get_command(app).commands) == set(_MODULES[module])  # type: ignore[attr-defined]


def test_the_whole_command_has_those_of_other_packages_too() -> None:
    commands = set(get_command(whole_app()).commands)  # type: ignore[attr-defined]
    assert commands == {"bench"}.union(*_MODULES.values())


@pytest.mark.parametrize(
    ("words", "code", "printed"),
    [
        ((), 2, "Usage"),
        (("--help",), 0, "bench"),
        (("traec", "1"), 2, "No such command"),
        (("trace", "--help"), 0, "tartip_cli trace"),
        (("hubs",), 2, "revoke"),
    ],
)
def test_help_and_mistakes_name_the_commands(
    words: tuple[str, ...], code: int, printed: str
) -> None:
    command = [sys.executable, "-m", "tartip_cli", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == code and "tartip" in ran.stdout + ran.stderr
    assert printed in ran.stdout + ran.stderr


def test_a_command_that_only_asks_loads_no_part_of_the_mesh() -> None:
    probe = (
        "import sys; sys.argv = ['tartip', 'trace', '--help']\n"
        "from tartip_cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('sqlalchemy' in sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "False"
