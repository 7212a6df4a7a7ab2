"""`tartip keys rotate` says what it does before it waits, with and without a terminal."""

from __future__ import annotations

import subprocess
import sys

from tartip_cli.failures import Exit
from tartip_cli.settings import inherited_environment
from tartip_testing.mesh import RunningTestMesh


def test_a_rotation_without_a_terminal_says_how_long_it_takes(engines: RunningTestMesh) -> None:
    rotate = ("keys", "rotate", "--data-keys", "--settle-seconds", "1.5")
    ran = subprocess.run(
        [sys.executable, "-m", "tartip_cli", *rotate],
        env={**inherited_environment(), "TARTIP_HOME": str(engines.home.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == Exit.OK, ran.stderr
    first, *_, last = ran.stdout.strip().splitlines()
    assert "destroyed after 0.025 minutes" in first and "are wrapped anew" in last
